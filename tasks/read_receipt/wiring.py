"""What a reading needs of the house: the pictures, the reader, and the row that keeps it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.database import perform
from core.kind import JobFailed
from services.jobs.claim import Claimed
from services.receipts import storing
from services.receipts.shelf import Shelf
from tasks.read_receipt.contract import Reading, ReadRequest
from tasks.read_receipt.engine.lines import Reader
from tasks.read_receipt.engine.rapid import NotInstalled, rapid_reader
from tasks.take_receipt.taking import told_as_failures


def reader_here() -> Reader:
    """
    Raises:
        JobFailed: the extra is not installed.
    """
    try:
        return rapid_reader()
    except NotInstalled:
        detail = "This installation cannot read receipts: its extra `ocr` is not installed."
        raise JobFailed("OCR_NOT_INSTALLED", detail, status=501) from None


def pictures_of(shelf: Shelf, request: ReadRequest) -> list[bytes]:
    """The pages that are kept as pictures; a picture is its own page.

    Raises:
        JobFailed: the receipt is gone or not ready, or a store is away.
    """
    with told_as_failures():
        file = shelf.find(request.receipt_id, "file")
        if file is None:
            raise JobFailed("RECEIPT_NOT_READY", "The receipt is not ready.", status=409)
        parts = [file] if file.media_type == "image/jpeg" else shelf.pages(request.receipt_id)
        return [shelf.content(part) for part in parts]


def keep_reading(
    session: Session, claimed: Claimed, request: ReadRequest, result: Reading
) -> Reading:
    """Note it with the receipt, in the transaction that ends the job. Nothing is booked."""
    noted = result.model_dump(mode="json", exclude={"receipt_id"})
    perform(session, storing.keep_reading(claimed.owner_id, request.receipt_id, noted))
    return result

"""One receipt taken: the original fetched, looked at apart from us, what was made of it stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO
from uuid import UUID

from sqlalchemy.orm import Session

from core.database import perform
from core.errors import AppError
from core.kind import JobFailed
from core.log import log
from services.jobs.claim import Claimed
from services.receipts import storing
from services.receipts.shelf import Shelf
from tasks.confined import Bounds, OutOfBounds, confined
from tasks.take_receipt.contract import MadeFile, Suggested, TakenReceipt, TakeRequest
from tasks.take_receipt.engine.product import Limits, Refused, Taken, read

#: Pixels of a picture: phones make 48 million at most, and each costs four bytes to look at.
MOST_PIXELS = 50_000_000
#: What the process that looks at an original may take. 50 million pixels with transparency took
#: up to 850 MB and 2.3 s (WebP), 5.2 s as noise in HEIC (docs/decisions/0020-receipts.md).
BOUNDS = Bounds(memory=1 << 30, output=1 << 26, cpu_s=30, wall_s=90.0)
ENGINE = "tasks.take_receipt.engine"


def take(
    shelf: Shelf, receipt_id: UUID, most_pages: int, check: Callable[[], None]
) -> TakenReceipt:
    """Make of an original what is kept, and store it.

    Args:
        most_pages: of a PDF.
        check: asked all the while; what it raises ends the work.

    Raises:
        JobFailed: the file is refused, or a store is away.
    """
    with told_as_failures():
        original = shelf.find(receipt_id, "original")
        if original is None:
            raise _overtaken()
        with shelf.fetched(original) as content:
            limits = Limits(MOST_PIXELS, most_pages)
            taken = look_apart(content, original.media_type, limits, check)
        files = [shelf.put(p.role, p.number, p.media_type, p.content) for p in taken.products]
    (file,) = (each for each in files if each.role == "file")
    return TakenReceipt(
        receipt_id=receipt_id,
        media_type=file.media_type,
        size_bytes=file.size_bytes,
        pages=taken.pages,
        suggested=Suggested.model_validate(taken.traces),
        files=[MadeFile(**vars(each)) for each in files],
    )


def look_apart(
    content: IO[bytes], media_type: str, limits: Limits, check: Callable[[], None]
) -> Taken:
    """Let a process of its own look at an original.

    Raises:
        JobFailed: the file is refused.
    """
    arguments = [media_type, json.dumps(asdict(limits))]
    try:
        with confined(ENGINE, arguments, content, BOUNDS, check) as output:
            return read(output)
    except Refused as refused:
        raise _refusal(refused.code, refused.detail) from refused
    except OutOfBounds as error:
        log.warning("receipt_out_of_bounds", media_type=media_type, error=str(error))
        detail = "The file took more memory or time than a receipt may."
        raise _refusal("RECEIPT_TOO_HEAVY", detail) from error


def _refusal(code: str, detail: str) -> JobFailed:
    return JobFailed(code, detail, extra={"field_errors": {"file": [detail]}})


def _overtaken() -> JobFailed:
    return JobFailed("RECEIPT_OVERTAKEN", "The receipt is gone, or has been taken.", status=409)


@contextmanager
def told_as_failures() -> Iterator[None]:
    """What services raise, as the end of the job that it is."""
    try:
        yield
    except AppError as error:
        raise JobFailed(
            error.code, error.detail, status=error.status, retryable=error.retryable
        ) from error


def keep_taken(
    session: Session, claimed: Claimed, request: TakeRequest, result: TakenReceipt
) -> TakenReceipt:
    """Write the rows of what was made, in the transaction that ends the job."""
    files = [storing.NewFile(**vars(each)) for each in result.files]
    steps = storing.keep(
        claimed.owner_id,
        request.receipt_id,
        files,
        pages=result.pages,
        suggested=result.suggested.model_dump(mode="json", exclude_none=True),
    )
    if not perform(session, steps):
        raise _overtaken()
    return result

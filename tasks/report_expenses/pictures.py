"""Pictures of receipts: out of the artifact store, into the folder of the attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import AppError
from core.kind import JobFailed
from services.artifacts.store import ArtifactStore
from services.books.reports.pictures import Picture
from tasks.report_expenses.engine.book import Receipt
from tasks.report_expenses.engine.pdf.detail import MOST_RECEIPTS


def fetch(
    found: Sequence[Picture], store: ArtifactStore, folder: Path, check: Callable[[], None]
) -> tuple[Receipt, ...]:
    """Copy as many as a report shows; of the rest it says how many there are.

    Args:
        check: called before each; raises where the job shall end.

    Raises:
        JobFailed: the store is away, or the bytes of one are gone.
    """
    made = []
    for number, picture in enumerate(found):
        path = folder / f"picture-{number:04}"
        if number < MOST_RECEIPTS:
            check()
            _copy(picture, store, path)
        name = f"{picture.name}, {picture.number}" if picture.number else picture.name
        made.append(Receipt(picture.expense_id, name, path, picture.media_type))
    return tuple(made)


def _copy(picture: Picture, store: ArtifactStore, path: Path) -> None:
    try:
        with path.open("wb") as into:
            store.fetch(picture.location, into)
    except AppError as error:
        if error.status == 503:
            raise JobFailed(error.code, error.detail, status=503, retryable=True) from error
        raise JobFailed(
            "RECEIPT_LOST",
            f"The picture of the receipt {picture.name!r} is gone. Delete that receipt, or leave"
            " receipts out.",
            status=410,
        ) from error

"""The kind `export_books`, wired to its owner's ledgers."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

from core.database import perform
from core.kind import Run
from services.books import exports
from services.books.ledger import Filter
from tasks import process
from tasks.base import job
from tasks.export_books.contract import EXPORT_BOOKS, ExportRequest, ExportResult
from tasks.export_books.engine import write_csv


def _filter(request: ExportRequest) -> Filter:
    equal = ("category", "trip_id", "payment_method", "currency")
    least, most = request.min_amount, request.max_amount
    return Filter(
        request.order,
        {name: getattr(request, name) for name in equal if getattr(request, name) is not None},
        tag=request.tag,
        first=request.first,
        end=request.end,
        min_amount=None if least is None else Decimal(least),
        max_amount=None if most is None else Decimal(most),
        q=request.q,
        deleted=request.deleted,
    )


@job(EXPORT_BOOKS)
def export_books(request: ExportRequest, run: Run) -> ExportResult:
    """Write all entries to a file, from one snapshot; readers of the file hold no session."""
    owner_id, entries, which = run.owner_id, request.entries, _filter(request)
    name = f"{entries}.csv"
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        path = Path(folder) / name
        with process.current().app.transaction(owner_id) as session:
            total = perform(session, exports.count(owner_id, entries, which))
            found = perform(session, exports.every(owner_id, entries, which))
            rows = write_csv(path, entries, found, total, raw=request.raw, bom=request.bom, run=run)
        artifact_id = run.artifact(name, "text/csv; charset=utf-8", path)
    return ExportResult(entries=entries, rows=rows, name=name, artifact_id=artifact_id)

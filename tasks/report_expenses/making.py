"""A report from request to result: one look at the books, then file after file."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core.database import Database, Steps, perform
from core.kind import JobFailed, Progress, Run
from services.artifacts.rows import ADDRESS
from services.artifacts.store import ArtifactStore
from services.books import finance
from services.books.reports import facts, rows
from services.books.reports.pictures import pictures
from services.books.reports.revision import fingerprint, made_before, revision
from services.books.reports.selection import Selection
from services.trips.errors import TripNotFound
from tasks.report_expenses.contract import (
    REPORT_EXPENSES,
    File,
    Period,
    Relative,
    ReportRequest,
    ReportResult,
)
from tasks.report_expenses.engine import formats
from tasks.report_expenses.engine.book import Report
from tasks.report_expenses.engine.pdf import Printing
from tasks.report_expenses.lines import Lines
from tasks.report_expenses.pictures import fetch
from tasks.report_expenses.reading import Wanted, report_of
from tasks.report_expenses.telling import result_of


@dataclass(frozen=True)
class Order:
    """A request with all that the books had to say about it.

    Attributes:
        fingerprint: of what decides what the files say, and the state of the books.
    """

    request: ReportRequest
    selection: Selection
    zone: str
    revision: str

    @property
    def period(self) -> Period:
        return Period(from_=self.selection.first, to=self.selection.end)

    @property
    def fingerprint(self) -> str:
        asked = self.request.model_dump(mode="json", exclude={"tags", "period"})
        resolved = {"currency": self.selection.currency, "zone": self.zone}
        period = self.period.model_dump(mode="json")
        of_books = {"revision": self.revision, "edition": formats.EDITION}
        return fingerprint({**asked, **resolved, "period": period, **of_books})


def make_report(
    request: ReportRequest,
    run: Run,
    *,
    database: Database,
    store: ArtifactStore,
    owner_id: UUID,
    job_id: UUID,
    printing: Printing | None = None,
) -> ReportResult:
    """Make the files of a report, or find those that an older job has made of the same books.

    Args:
        database: connections of role `app`.
        store: where the pictures of receipts lie.
        printing: how PDFs are set here.

    Raises:
        RunStopped: see `Run.check`.
        JobFailed: the trip is gone, or there is no currency to add up in; or see `fetch`.
    """
    run.report(Progress(fraction=0.0, stage="reading", message="reading the books"))
    with _folder(job_id) as folder:
        with database.transaction(owner_id, snapshot=True) as session:
            order = perform(session, _order(owner_id, request))
            found = perform(session, made_before(owner_id, REPORT_EXPENSES.name, order.fingerprint))
            if found is not None:
                return ReportResult.model_validate(found)
            report = _read(session, order, folder, job_id)
            shown = request.receipts and "pdf" in request.formats
            found_pictures = perform(session, pictures(order.selection)) if shown else []
        # no transaction is open from here on: all files are made of what has been copied
        report = replace(report, receipts=fetch(found_pictures, store, folder, run.check))
        return _write(order, report, run, folder, job_id, printing or Printing())


def _order(owner_id: UUID, request: ReportRequest) -> Steps[Order]:
    """What is asked for in full.

    Raises:
        JobFailed
    """
    settings = yield from finance.read(owner_id)
    currency = request.currency or settings.currency
    if currency is None:
        raise JobFailed(
            "CURRENCY_REQUIRED", "Name a currency, or set the base currency of your books."
        )
    zone = request.zone or settings.zone
    today = datetime.now(ZoneInfo(zone)).date()
    period = request.period.on(today) if isinstance(request.period, Relative) else request.period
    days = (period.from_, period.to) if period else None
    try:
        first, end = yield from facts.resolve(owner_id, days, request.trip_id, today)
    except TripNotFound as error:
        raise JobFailed(error.code, error.detail, status=404) from None
    filters = request.filters
    selection = Selection(
        owner_id=owner_id,
        first=first,
        end=end,
        currency=currency,
        trip_id=request.trip_id,
        categories=tuple(filters.categories),
        tags=tuple(filters.tags),
        payment_methods=tuple(filters.payment_methods),
    )
    return Order(request, selection, zone, (yield from revision(owner_id)))


def _read(session: Session, order: Order, folder: Path, job_id: UUID) -> Report:
    """Copy the lines and add them up, all in the snapshot of the session."""
    selection, request = order.selection, order.request
    found = perform(session, facts.read(selection, order.zone))
    expenses, incomes = folder / "expenses.csv", folder / "incomes.csv"
    copied = rows.copy_expenses(session, selection, expenses)
    received = rows.copy_incomes(session, selection, incomes)
    wanted = Wanted(
        report_id=job_id,
        title=request.title,
        locale=request.locale,
        zone=order.zone,
        revision=order.revision,
        generated_at=datetime.now(UTC),
    )
    return report_of(
        wanted,
        selection,
        found,
        Lines(expenses, copied, found.names),
        Lines(incomes, received, found.names),
    )


def _write(
    order: Order, report: Report, run: Run, folder: Path, job_id: UUID, printing: Printing
) -> ReportResult:
    """Make one file after the other; each is the owner's as soon as it is there."""
    files: list[File] = []
    omitted: dict[str, int] = {}
    wanted = order.request.formats
    for number, each in enumerate(wanted):
        fraction = 0.2 + 0.8 * number / len(wanted)
        run.report(Progress(fraction=fraction, stage=f"writing_{each}", message=f"making {each}"))
        made = formats.make(each, report, order.request, folder, run.check, printing)
        name = formats.file_name(order.request, order.period, each)
        files.append(_offer(run, name, formats.MEDIA_TYPES[each], made.path))
        omitted[each] = made.omitted
    return result_of(report, files, omitted, order.period, order.fingerprint, job_id)


def _offer(run: Run, name: str, media_type: str, path: Path) -> File:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    artifact_id = run.artifact(name, media_type, path)
    return File(
        id=artifact_id,
        name=name,
        media_type=media_type,
        size_bytes=path.stat().st_size,
        sha256=digest,
        url=f"{ADDRESS}{artifact_id}",
    )


@contextmanager
def _folder(job_id: UUID) -> Iterator[Path]:
    """A folder of this attempt, for its owner's eyes alone; what an attempt of the same job that
    was killed has left on this machine goes first."""
    prefix = f"wheels-report-{job_id}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix) as made:
        yield Path(made)

"""Receipts as their owners see them: one, a page, and the state that their job gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Table, select

from core.database import Steps
from models.base import metadata
from models.job import TERMINAL, Status
from models.receipt import Receipt, ReceiptFile
from services.jobs import views as jobs
from services.jobs.views import JobView
from services.receipts.errors import NoSuchPage, ReceiptNotFound, ReceiptNotReady
from services.records import Record, Records

RECEIPTS: Table = metadata.tables[str(Receipt.__tablename__)]
FILES: Table = metadata.tables[str(ReceiptFile.__tablename__)]


#: How a job ends that has taken nothing. Receipt and job are read one after the other.
FAILED = TERMINAL - {Status.SUCCEEDED}


class State(StrEnum):
    """How far a receipt has come."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class FileView:
    """A file of a receipt."""

    receipt_id: UUID
    role: str
    number: int
    media_type: str
    size_bytes: int
    sha256: str
    location: str
    missing_at: datetime | None


_FILE_COLUMNS = [FILES.c[name] for name in FileView.__dataclass_fields__]


@dataclass(frozen=True)
class ReceiptView(Record):
    """A receipt. What has no column of its own is looked up by `completed`."""

    WRITTEN: ClassVar[tuple[str, ...]] = ("name", "expense_id")

    name: str
    expense_id: UUID | None
    job_id: UUID
    taken_at: datetime | None
    pages: int | None
    suggested: dict[str, Any] | None
    reading: dict[str, Any] | None


RECORDS = Records(RECEIPTS, ReceiptView, ReceiptNotFound)


@dataclass(frozen=True)
class Shown:
    """A receipt with what lies around it.

    Attributes:
        job: that takes it; None once it is ready, or where its job has been pruned.
        file: what it consists of; None unless it is ready.
    """

    receipt: ReceiptView
    job: JobView | None = None
    file: FileView | None = None

    @property
    def state(self) -> State:
        if self.receipt.taken_at is not None:
            return State.READY
        # a job that has succeeded took it after the receipt was read: it is ready when read again
        if self.job is None or self.job.status in FAILED:
            return State.FAILED
        return State.PROCESSING


def completed(receipts: Sequence[ReceiptView]) -> Steps[list[Shown]]:
    """With file and job, in two queries however many there are."""
    ready = [each.id for each in receipts if each.taken_at is not None]
    wanted = select(*_FILE_COLUMNS).where(FILES.c.receipt_id.in_(ready), FILES.c.role == "file")
    rows = (yield wanted).all() if ready else []
    files = {row.receipt_id: FileView(**row._mapping) for row in rows}
    underway = [each.job_id for each in receipts if each.taken_at is None]
    found = (yield from jobs.read_many(underway)) if underway else {}
    return [Shown(each, found.get(each.job_id), files.get(each.id)) for each in receipts]


def read(owner_id: UUID, receipt_id: UUID) -> Steps[Shown]:
    """One receipt of its owner.

    Raises:
        ReceiptNotFound
    """
    receipt = yield from RECORDS.read(owner_id, receipt_id)
    return (yield from completed([receipt]))[0]


@dataclass(frozen=True)
class Filter:
    """Which receipts a list shows.

    Attributes:
        attached: whether to an expense; None: either.
    """

    sort: str = "-created_at"
    expense_id: UUID | None = None
    attached: bool | None = None
    deleted: bool = False

    def conditions(self, owner_id: UUID) -> list[ColumnElement[bool]]:
        found = RECORDS.of(owner_id, deleted=self.deleted)
        if self.expense_id is not None:
            found.append(RECEIPTS.c.expense_id == self.expense_id)
        if self.attached is not None:
            without = RECEIPTS.c.expense_id.is_(None)
            found.append(~without if self.attached else without)
        return found


def page(
    owner_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[Shown], int]]:
    """A page of the owner's receipts, and how many there are in all."""
    found, total = yield from RECORDS.counted_page(
        which.conditions(owner_id), RECORDS.order(which.sort), limit=limit, offset=offset
    )
    return (yield from completed(found)), total


def file_of(owner_id: UUID, receipt_id: UUID, role: str, number: int = 0) -> Steps[FileView]:
    """A file of a receipt that is ready.

    Raises:
        ReceiptNotFound, ReceiptNotReady.
        NoSuchPage: the receipt has no picture of this page.
    """
    receipt = yield from RECORDS.read(owner_id, receipt_id)
    if receipt.taken_at is None:
        raise ReceiptNotReady
    found = yield from any_file(owner_id, receipt_id, role, number)
    if found is None and (role, number) == ("page", 1):
        # a picture is its own page
        found = yield from any_file(owner_id, receipt_id, "file", 0)
        found = None if found is None else replace(found, role="page")
    if found is None:
        raise NoSuchPage
    return found


def any_file(owner_id: UUID, receipt_id: UUID, role: str, number: int) -> Steps[FileView | None]:
    """A file whatever the state of its receipt."""
    wanted = select(*_FILE_COLUMNS).where(
        FILES.c.receipt_id == receipt_id,
        FILES.c.owner_id == owner_id,
        FILES.c.role == role,
        FILES.c.number == number,
    )
    row = (yield wanted).one_or_none()
    return None if row is None else FileView(**row._mapping)

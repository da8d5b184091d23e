"""Writing receipts: what was sent, what became of it, what it belongs to, and its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text

from core.database import Steps, bind
from core.errors import Invalid
from core.ids import new_id
from core.kind import Lane
from services.books.expenses import EXPENSES
from services.idempotency import IdempotencyKey
from services.jobs.submit import Submitted
from services.receipts.errors import ReceiptStorageFull, TooManyReceipts
from services.receipts.views import FILES, RECEIPTS, RECORDS, ReceiptView
from services.records import Versions, made_before


@dataclass(frozen=True)
class NewFile:
    """Bytes that are in the store already, and wait for their row."""

    role: str
    number: int
    media_type: str
    size_bytes: int
    sha256: str
    location: str

    def row(self, owner_id: UUID, receipt_id: UUID) -> dict[str, Any]:
        return {"id": new_id(), "owner_id": owner_id, "receipt_id": receipt_id, **vars(self)}


@dataclass(frozen=True)
class Quota:
    """What one owner may have.

    Attributes:
        receipts: how many; deleted ones count while their bytes are there.
        size: of all their files, bytes.
    """

    receipts: int
    size: int


@dataclass(frozen=True)
class Begun:
    """A receipt that was written, and the job that takes it."""

    receipt_id: UUID
    submitted: Submitted


def check_room(owner_id: UUID, quota: Quota, size: int) -> Steps[None]:
    """Refuse what there is no room for.

    Raises:
        TooManyReceipts, ReceiptStorageFull.
    """
    own = select(func.count()).select_from(RECEIPTS).where(RECEIPTS.c.owner_id == owner_id)
    if (yield own).scalar_one() >= quota.receipts:
        raise TooManyReceipts
    stored = select(func.coalesce(func.sum(FILES.c.size_bytes), 0))
    if (yield stored.where(FILES.c.owner_id == owner_id)).scalar_one() + size > quota.size:
        raise ReceiptStorageFull


def check_expense(owner_id: UUID, expense_id: UUID | None) -> Steps[None]:
    """Refuse to attach to what is not there.

    Raises:
        Invalid: names `expense_id`.
    """
    if expense_id is None:
        return
    wanted = select(EXPENSES.c.id).where(
        EXPENSES.c.id == expense_id,
        EXPENSES.c.owner_id == owner_id,
        EXPENSES.c.deleted_at.is_(None),
    )
    if (yield wanted).first() is None:
        raise Invalid(field_errors={"expense_id": ["There is no such expense"]})


def begin(
    owner_id: UUID,
    columns: dict[str, Any],
    original: NewFile,
    *,
    quota: Quota,
    submit: Callable[[UUID], Steps[Submitted]],
    lane: Lane,
    key: IdempotencyKey | None = None,
) -> Steps[Begun]:
    """Write a receipt, the row of its original, and the job that takes it.

    Args:
        columns: what its owner has written.
        submit: writes the job for a receipt's id.
        lane: of that job.

    Raises:
        TooManyReceipts, ReceiptStorageFull, TooManyJobs.
        Invalid: there is no such expense.
        KeyReused, KeyInFlight: see `take_key`.
    """
    receipt_id = new_id()
    earlier = yield from made_before(owner_id, key, receipt_id)
    if earlier is not None:
        before = yield from RECORDS.read(owner_id, earlier.id, deleted=True)
        return Begun(earlier.id, Submitted(before.job_id, lane, replayed=True))
    yield from check_room(owner_id, quota, original.size_bytes)
    yield from check_expense(owner_id, columns["expense_id"])
    submitted = yield from submit(receipt_id)
    row = {"id": receipt_id, "owner_id": owner_id, "job_id": submitted.job_id, **columns}
    yield insert(RECEIPTS).values(**row)
    yield insert(FILES).values(**original.row(owner_id, receipt_id))
    return Begun(receipt_id, submitted)


def keep(
    owner_id: UUID,
    receipt_id: UUID,
    files: Sequence[NewFile],
    *,
    pages: int,
    suggested: dict[str, Any],
) -> Steps[bool]:
    """Put what was made of the original in its place. Its bytes are swept, for they tell more.

    Returns:
        False where the receipt is gone, or an earlier job took it: nothing is written.
    """
    held = select(RECEIPTS.c.taken_at).where(
        RECEIPTS.c.id == receipt_id, RECEIPTS.c.owner_id == owner_id
    )
    row = (yield held.with_for_update()).one_or_none()
    if row is None or row.taken_at is not None:
        return False
    yield delete(FILES).where(FILES.c.receipt_id == receipt_id, FILES.c.owner_id == owner_id)
    yield insert(FILES).values([file.row(owner_id, receipt_id) for file in files])
    yield from RECORDS.touch(
        owner_id, receipt_id, taken_at=func.now(), pages=pages, suggested=suggested
    )
    return True


def keep_reading(owner_id: UUID, receipt_id: UUID, reading: dict[str, Any]) -> Steps[None]:
    """Note what was read on a receipt the last time; if it is there."""
    held = select(RECEIPTS.c.id).where(RECEIPTS.c.id == receipt_id, RECEIPTS.c.owner_id == owner_id)
    if (yield held.with_for_update()).first() is not None:
        yield from RECORDS.touch(owner_id, receipt_id, reading=reading)


def change(
    owner_id: UUID,
    receipt_id: UUID,
    revise: Callable[[ReceiptView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[ReceiptView]:
    """Rename a receipt, attach it to an expense, or detach it.

    Raises:
        ReceiptNotFound, PreconditionFailed.
        Invalid: there is no such expense.
    """

    def complete(before: ReceiptView, columns: dict[str, Any]) -> Steps[dict[str, Any]]:
        if columns["expense_id"] != before.expense_id:
            yield from check_expense(owner_id, columns["expense_id"])
        return columns

    return (yield from RECORDS.change(owner_id, receipt_id, revise, versions, complete=complete))


# What was deleted long enough ago, and what never became a receipt and whose job is forgotten.
_END = text("""
DELETE FROM receipts WHERE id IN (
    SELECT r.id FROM receipts r
    WHERE r.deleted_at < now() - make_interval(secs => :keep_s)
       OR (r.taken_at IS NULL AND r.created_at < now() - interval '1 day'
           AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = r.job_id))
    ORDER BY r.id LIMIT :batch)
""")


def end(*, keep_days: float, batch: int) -> Steps[int]:
    """Delete for good, as role `engine`: the rows here, their bytes by the sweep after that.

    Args:
        keep_days: how long deleted ones can be restored.

    Returns:
        How many.
    """
    done = yield bind(_END, keep_s=keep_days * 86400, batch=batch)
    return int(done.rowcount)  # type: ignore[attr-defined]

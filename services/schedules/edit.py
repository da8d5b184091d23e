"""Making, changing and deleting schedules, and running one by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete as delete_from
from sqlalchemy import func, insert, select, update

from core.database import Steps
from core.ids import new_id
from services.idempotency import IdempotencyKey
from services.records import Made, Versions, expect, made_before
from services.schedules import views
from services.schedules.errors import ScheduleNotFound, TooManySchedules
from services.schedules.periods import Timing
from services.schedules.views import SCHEDULES, TIMING_FIELDS, ScheduleView


def _clock(now: datetime | None) -> Steps[datetime]:
    """The time of Postgres, by which periods come due; or that of a test."""
    if now is not None:
        return now
    at: datetime = (yield select(func.clock_timestamp())).scalar_one()
    return at


def _due(columns: dict[str, Any], now: datetime) -> dict[str, Any]:
    """When it is due from now on: what has passed is no longer of interest."""
    timing = Timing(columns["cron"], columns["zone"], columns["starts_at"], columns["ends_at"])
    first = timing.after(now) if columns["enabled"] else None
    return {"next_run_at": first, "due_at": first, "last_error": None}


def create(
    owner_id: UUID,
    columns: dict[str, Any],
    *,
    most: int,
    key: IdempotencyKey | None = None,
    now: datetime | None = None,
) -> Steps[Made]:
    """Write a schedule, due from its first period after now.

    Args:
        columns: what the owner has written, valid.
        most: schedules that one owner may have.

    Raises:
        TooManySchedules
        KeyReused, KeyInFlight: see `take_key`.
    """
    made = Made(new_id())
    earlier = yield from made_before(owner_id, key, made.id)
    if earlier is not None:
        return earlier
    own = select(func.count()).select_from(SCHEDULES).where(SCHEDULES.c.owner_id == owner_id)
    if (yield own).scalar_one() >= most:
        raise TooManySchedules
    at = yield from _clock(now)
    row = {"id": made.id, "owner_id": owner_id, **columns, **_due(columns, at)}
    yield insert(SCHEDULES).values(**row)
    return made


def change(
    owner_id: UUID,
    schedule_id: UUID,
    revise: Callable[[ScheduleView], dict[str, Any]],
    versions: Versions = None,
    *,
    now: datetime | None = None,
) -> Steps[ScheduleView]:
    """Change what the owner has written; what is the same already makes no new version.

    New times count from now on: a period that was due and not made is then no longer. Without
    new times it still is.

    Args:
        revise: from the schedule as it is to its columns as they shall be.

    Raises:
        ScheduleNotFound, PreconditionFailed.
    """
    before = yield from views.read(owner_id, schedule_id, lock=True)
    expect(before.version, versions)
    columns = revise(before)
    if columns == before.written():
        return before
    due: dict[str, Any] = {}
    if any(columns[name] != getattr(before, name) for name in TIMING_FIELDS):
        due = _due(columns, (yield from _clock(now)))
    yield (
        update(SCHEDULES)
        .where(SCHEDULES.c.id == schedule_id, SCHEDULES.c.owner_id == owner_id)
        .values(**columns, **due, version=SCHEDULES.c.version + 1, updated_at=func.now())
    )
    return (yield from views.read(owner_id, schedule_id))


def delete(owner_id: UUID, schedule_id: UUID, versions: Versions = None) -> Steps[None]:
    """Delete a schedule and the record of its periods; the jobs that it made stay.

    Raises:
        ScheduleNotFound, PreconditionFailed.
    """
    if versions is not None:
        expect((yield from views.read(owner_id, schedule_id, lock=True)).version, versions)
    gone = yield (
        delete_from(SCHEDULES)
        .where(SCHEDULES.c.id == schedule_id, SCHEDULES.c.owner_id == owner_id)
        .returning(SCHEDULES.c.id)
    )
    if gone.first() is None:
        raise ScheduleNotFound

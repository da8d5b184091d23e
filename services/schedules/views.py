"""Reading schedules and what became of their periods."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, func, select

from core.database import Steps
from models.base import metadata
from models.schedule import CatchUp, Schedule, ScheduleRun
from services.schedules.errors import ScheduleNotFound
from services.schedules.periods import Timing

SCHEDULES: Table = metadata.tables[str(Schedule.__tablename__)]
RUNS: Table = metadata.tables[str(ScheduleRun.__tablename__)]

#: What decides when it is due.
TIMING_FIELDS = ("cron", "zone", "enabled", "starts_at", "ends_at")
#: What the owner may write.
WRITTEN_FIELDS = ("title", "kind", "input", "tags", "priority", "catch_up", *TIMING_FIELDS)


@dataclass(frozen=True)
class ScheduleView:
    """A schedule as its owner sees it."""

    id: UUID
    title: str
    kind: str
    input: dict[str, Any]
    cron: str
    zone: str
    tags: list[str]
    priority: str
    catch_up: str
    enabled: bool
    starts_at: datetime | None
    ends_at: datetime | None
    next_run_at: datetime | None
    due_at: datetime | None
    last_run_at: datetime | None
    last_job_id: UUID | None
    last_error: dict[str, Any] | None
    version: int
    created_at: datetime
    updated_at: datetime

    def written(self) -> dict[str, Any]:
        """What its owner has written."""
        return {name: getattr(self, name) for name in WRITTEN_FIELDS}

    @property
    def timing(self) -> Timing:
        return Timing(self.cron, self.zone, self.starts_at, self.ends_at)

    @property
    def policy(self) -> CatchUp:
        return CatchUp(self.catch_up)


_COLUMNS = [SCHEDULES.c[field.name] for field in fields(ScheduleView)]


def view_of(row: Row[Any]) -> ScheduleView:
    return ScheduleView(**{field.name: row._mapping[field.name] for field in fields(ScheduleView)})


def read(owner_id: UUID, schedule_id: UUID, *, lock: bool = False) -> Steps[ScheduleView]:
    """One schedule of its owner.

    Args:
        lock: hold it until the transaction ends.

    Raises:
        ScheduleNotFound
    """
    wanted = select(*_COLUMNS).where(
        SCHEDULES.c.id == schedule_id, SCHEDULES.c.owner_id == owner_id
    )
    row = (yield wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise ScheduleNotFound
    return view_of(row)


@dataclass(frozen=True)
class Filter:
    """Which schedules a list shows, and in which order; None means any.

    Attributes:
        sort: a column, after `-` for the largest first.
    """

    kind: str | None = None
    enabled: bool | None = None
    tag: str | None = None
    sort: str = "-created_at"

    def conditions(self, owner_id: UUID) -> list[ColumnElement[bool]]:
        found = [SCHEDULES.c.owner_id == owner_id]
        if self.kind is not None:
            found.append(SCHEDULES.c.kind == self.kind)
        if self.enabled is not None:
            found.append(SCHEDULES.c.enabled.is_(self.enabled))
        if self.tag is not None:
            found.append(SCHEDULES.c.tags.contains([self.tag]))
        return found

    def order(self) -> list[ColumnElement[Any]]:
        column, key = SCHEDULES.c[self.sort.removeprefix("-")], SCHEDULES.c.id
        if self.sort.startswith("-"):
            return [column.desc().nulls_last(), key.desc()]
        return [column.asc().nulls_last(), key.asc()]


def page(
    owner_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[ScheduleView], int]]:
    """A page of the owner's schedules, and how many there are in all."""
    own = which.conditions(owner_id)
    total = (yield select(func.count()).select_from(SCHEDULES).where(*own)).scalar_one()
    wanted = select(*_COLUMNS).where(*own).order_by(*which.order())
    rows = (yield wanted.limit(limit).offset(offset)).all()
    return [view_of(row) for row in rows], int(total)


@dataclass(frozen=True)
class RunView:
    """What became of a period, or of several that were given up together."""

    id: UUID
    period_at: datetime | None
    through_at: datetime | None
    outcome: str
    job_id: UUID | None
    error: dict[str, Any] | None
    at: datetime


_RUN_COLUMNS = [RUNS.c[field.name] for field in fields(RunView)]


def page_of_runs(
    owner_id: UUID, schedule_id: UUID, *, limit: int, offset: int
) -> Steps[tuple[list[RunView], int]]:
    """A page of what became of a schedule's periods, newest first, and how many there are.

    Raises:
        ScheduleNotFound
    """
    yield from read(owner_id, schedule_id)
    own = (RUNS.c.schedule_id == schedule_id, RUNS.c.owner_id == owner_id)
    total = (yield select(func.count()).select_from(RUNS).where(*own)).scalar_one()
    wanted = select(*_RUN_COLUMNS).where(*own).order_by(RUNS.c.id.desc())
    rows = (yield wanted.limit(limit).offset(offset)).all()
    return [RunView(**row._mapping) for row in rows], int(total)

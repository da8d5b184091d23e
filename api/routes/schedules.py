"""Schedules: make, list, read, change, delete, run now, and what became of their periods."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.acceptance import ACCEPTED, Accept
from api.answers import CREATED, Idempotent, IfMatch, made, many, one
from api.deps import CurrentUser, Db, PageQuery, Process
from api.merge import revised
from api.schemas.base import One, Page
from api.schemas.schedules import (
    ScheduleNew,
    SchedulePatch,
    ScheduleRead,
    ScheduleRunRead,
    schedule_shown,
)
from core.database import perform_async
from core.kind import KINDS
from services.jobs.shown import JobRead
from services.schedules import edit, firing, views

router = APIRouter(prefix="/schedules", tags=["schedules"])

Sort = Literal[
    "-created_at", "created_at", "-next_run_at", "next_run_at", "-last_run_at", "last_run_at"
]

FULL: dict[int | str, dict[str, Any]] = {
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "You have as many as one user may have (`TOO_MANY_SCHEDULES`), or the first "
        "request with this key is still underway.",
    }
}
GONE: dict[int | str, dict[str, Any]] = {
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "Jobs of this kind can no longer be scheduled (`KIND_GONE`), or the first "
        "request with this key is still underway.",
    }
}


@router.post("", status_code=201, response_model=One[ScheduleRead], responses=CREATED | FULL)
async def create_schedule(
    new: ScheduleNew, user: CurrentUser, db: Db, process: Process, once: Idempotent
) -> Response:
    """Make a schedule. Its first period is the first that comes after now.

    Each period makes one job, exactly once, also after a downtime and with several schedulers
    (`catch_up`). The job counts towards your limits; while you have too many unfinished jobs, the
    period is tried again every half minute (`retry_at`, `last_error`) until the next one comes.
    """
    key = once.key(new.model_dump(mode="json"))
    steps = edit.create(user.id, new.columns(), most=process.settings.max_schedules, key=key)
    result = await perform_async(db, steps)
    schedule = await perform_async(db, views.read(user.id, result.id))
    headers = made(f"/api/v1/schedules/{schedule.id}", replayed=result.replayed)
    return one(schedule_shown(schedule), version=schedule.version, status=201, headers=headers)


@router.get("", response_model=Page[ScheduleRead])
async def list_schedules(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    kind: str | None = None,
    enabled: bool | None = None,
    tag: Annotated[str | None, Query(max_length=100)] = None,
    sort: Sort = "-created_at",
) -> Response:
    """The caller's schedules, newest first."""
    which = views.Filter(kind, enabled, tag, sort)
    found, total = await perform_async(
        db, views.page(user.id, which, limit=paging.page_size, offset=paging.offset)
    )
    return many([schedule_shown(schedule) for schedule in found], total, paging)


@router.get("/{schedule_id}", response_model=One[ScheduleRead])
async def read_schedule(schedule_id: UUID, user: CurrentUser, db: Db) -> Response:
    """One schedule. Its ETag is its version, for `If-Match`; what the clock writes lies outside."""
    schedule = await perform_async(db, views.read(user.id, schedule_id))
    return one(schedule_shown(schedule), version=schedule.version)


@router.patch("/{schedule_id}", response_model=One[ScheduleRead])
async def change_schedule(
    schedule_id: UUID, patch: SchedulePatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Change the fields that are sent; within `input` too (RFC 7396), and `null` resets.

    With new times, or enabled again, the next period is the first that comes after now.
    """

    def revise(schedule: views.ScheduleView) -> dict[str, Any]:
        new: ScheduleNew = revised(ScheduleNew, schedule.written(), patch)
        return new.columns()

    schedule = await perform_async(db, edit.change(user.id, schedule_id, revise, versions))
    return one(schedule_shown(schedule), version=schedule.version)


@router.delete("/{schedule_id}", status_code=204)
async def delete_schedule(schedule_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete a schedule and the record of its periods. The jobs that it made stay."""
    await perform_async(db, edit.delete(user.id, schedule_id, versions))


@router.post(
    "/{schedule_id}/run",
    status_code=202,
    response_model=One[JobRead],
    responses=ACCEPTED | GONE,
)
async def run_schedule(schedule_id: UUID, work: Accept) -> Response:
    """Submit its request now, whether it is enabled or not; its periods stay as they are."""
    steps = firing.run_now(
        work.user.id,
        schedule_id,
        KINDS,
        limits=work.limits,
        key=work.key(None),
        pace=work.room.hub.pace,
        admit=work.room.publisher.able,
        priority=work.terms.priority,
        deadline_s=work.terms.deadline_s,
        start_within_s=work.terms.start_within_s,
        trace=work.trace,
    )
    return await work.carry_out(steps)


@router.get("/{schedule_id}/runs", response_model=Page[ScheduleRunRead])
async def list_runs(
    schedule_id: UUID, user: CurrentUser, db: Db, paging: PageQuery
) -> Page[ScheduleRunRead]:
    """What became of its periods, newest first; kept for 90 days."""
    found, total = await perform_async(
        db,
        views.page_of_runs(user.id, schedule_id, limit=paging.page_size, offset=paging.offset),
    )
    return Page(
        data=[ScheduleRunRead.of(run) for run in found],
        total=total,
        page=paging.page,
        page_size=paging.page_size,
    )

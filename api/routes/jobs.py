"""Jobs: poll, list, cancel, finish, try again."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from api.acceptance import ACCEPTED, Accept, etag_of, job_answer
from api.deps import CurrentUser, Db, PageQuery, Process
from api.engine_room import Room
from api.schemas.base import One, Page
from core.database import perform_async
from core.kind import KINDS, Lane
from models.job import Status
from services.jobs import attempts, requests, views
from services.jobs.admission import Caps
from services.jobs.explain import explain
from services.jobs.shown import AttemptRead, ExplanationRead, JobRead, StatusName
from services.jobs.submit import retry as retry_steps

router = APIRouter(prefix="/jobs", tags=["jobs"])

REFUSED: dict[int | str, dict[str, Any]] = {
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "The job is not in a state, or of a kind, that allows it.",
    }
}


@router.get("")
async def list_jobs(
    user: CurrentUser,
    db: Db,
    room: Room,
    paging: PageQuery,
    kind: str | None = None,
    status: StatusName | None = None,
    tag: Annotated[str | None, Query(max_length=100)] = None,
    parent: Annotated[UUID | None, Query(description="Those that this job started.")] = None,
    sort: Literal["-created_at", "created_at"] = "-created_at",
) -> Page[JobRead]:
    """The caller's jobs, newest first."""
    which = views.Filter(
        kind, Status(status) if status else None, tag, parent, sort == "created_at"
    )
    found, total = await perform_async(
        db, views.page(user.id, which, limit=paging.page_size, offset=paging.offset)
    )
    return Page(
        data=[JobRead.of(view, room.hub.pace) for view in found],
        total=total,
        page=paging.page,
        page_size=paging.page_size,
    )


@router.get(
    "/{job_id}",
    response_model=One[JobRead],
    responses={304: {"description": "Not changed since the `If-None-Match` tag."}},
)
async def read_job(
    job_id: UUID,
    user: CurrentUser,
    db: Db,
    room: Room,
    if_none_match: Annotated[list[str] | None, Header()] = None,
) -> Response:
    """One job, whole. `Retry-After` says when to poll again while it is underway."""
    view = await perform_async(db, views.read(user.id, job_id, whole=True))
    known = {tag.strip().removeprefix("W/") for tag in ",".join(if_none_match or []).split(",")}
    if "*" in known or etag_of(view) in known:
        return Response(status_code=304, headers={"ETag": etag_of(view)})
    return job_answer(room, view, headers={})


@router.get("/{job_id}/attempts")
async def list_attempts(
    job_id: UUID, user: CurrentUser, db: Db, paging: PageQuery
) -> Page[AttemptRead]:
    """The job's attempts, the first one first: who ran each, and why it ended."""
    found, total = await perform_async(
        db, attempts.page(user.id, job_id, limit=paging.page_size, offset=paging.offset)
    )
    return Page(
        data=[AttemptRead.of(view) for view in found],
        total=total,
        page=paging.page,
        page_size=paging.page_size,
    )


@router.get("/{job_id}/explain")
async def explain_job(
    job_id: UUID, user: CurrentUser, db: Db, room: Room, process: Process
) -> One[ExplanationRead]:
    """Why the job waits: back-off, turn, caps, workers, broker. Of other users it only counts."""
    steps = explain(
        user.id,
        job_id,
        caps=Caps.of(process.settings),
        broker_away=not room.publisher.able,
    )
    return One(data=ExplanationRead.of(await perform_async(db, steps)))


@router.post("/{job_id}/cancel", response_model=One[JobRead])
async def cancel_job(job_id: UUID, user: CurrentUser, room: Room, process: Process) -> Response:
    """Cancel a job: at once while it waits, within two seconds while it runs. Idempotent.

    The jobs that it has started and waits for are cancelled with it, in the same way.
    """
    async with process.databases.app.transaction(user.id) as db:
        keep_days = process.settings.keep_jobs_days
        steps = requests.cancel(user.id, job_id, keep_days=keep_days)
        below = await perform_async(db, steps)
        view = await perform_async(db, views.read(user.id, job_id))
    room.publisher.jobs_changed([(job_id, user.id), *below])
    if view.finished_at is not None or below:
        room.publisher.deliveries_wait()
    return job_answer(room, view, headers={})


@router.post(
    "/{job_id}/finish", status_code=202, response_model=One[JobRead], responses=ACCEPTED | REFUSED
)
async def finish_job(job_id: UUID, user: CurrentUser, room: Room, process: Process) -> Response:
    """End the job now with its best result so far (kinds that improve)."""
    async with process.databases.app.transaction(user.id) as db:
        await perform_async(db, requests.finish(user.id, job_id, KINDS))
        view = await perform_async(db, views.read(user.id, job_id))
    if view.status == Status.QUEUED:
        # an admission that ran meanwhile has passed over the row that we held
        room.publisher.job_waits(Lane(view.lane))
    return job_answer(room, view, status=202, headers={})


@router.post(
    "/{job_id}/retry", status_code=202, response_model=One[JobRead], responses=ACCEPTED | REFUSED
)
async def retry_job(job_id: UUID, work: Accept) -> Response:
    """Submit an ended job's input again, as a new job that links to the old one."""
    steps = retry_steps(
        work.user.id,
        job_id,
        KINDS,
        limits=work.limits,
        key=work.key(None),
        pace=work.room.hub.pace,
        admit=work.room.publisher.able,
        keep_days=work.process.settings.keep_jobs_days,
        deadline_s=work.terms.deadline_s,
        start_within_s=work.terms.start_within_s,
        priority=work.terms.priority,
        trace=work.trace,
    )
    return await work.carry_out(steps)

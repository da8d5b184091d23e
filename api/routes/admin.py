"""For operators: all jobs, dead letters, pauses, workers, and the record of what admins did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime
from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import FORBIDDEN, CurrentAdmin, PageQuery, Process
from api.engine_room import Room
from api.schemas.admin import (
    ActionRead,
    AdminJobDetail,
    AdminJobRead,
    AttemptRead,
    EventRead,
    PauseRead,
    PauseRequest,
    ReplayedAll,
    ReplayedRead,
    ReplayRequest,
    WorkerRead,
)
from api.schemas.base import One, Page
from api.visit import visit_of
from core.database import perform_async
from core.errors import NotFound
from core.kind import KINDS, Lane
from models.job import Status
from services import admin_actions
from services.admin_actions import Admin, record
from services.jobs import fleet, oversight, pauses
from services.jobs import replay as replays
from services.jobs.oversight import Search
from services.jobs.pauses import Scope
from services.jobs.shown import StatusName

router = APIRouter(prefix="/admin", tags=["admin"], responses={**FORBIDDEN})


async def acting(user: CurrentAdmin, request: Request) -> Admin:
    """The admin, as the record names them."""
    return Admin(user.id, visit_of(request.scope).request_id)


async def engine_session(process: Process, _admin: CurrentAdmin) -> AsyncIterator[AsyncSession]:
    """A transaction that sees all jobs; the deed and its record commit together."""
    async with process.databases.engine.transaction() as session:
        yield session


Acting = Annotated[Admin, Depends(acting)]
EngineDb = Annotated[AsyncSession, Depends(engine_session, scope="function")]
LaneName = Literal["compute", "io"]
IdPrefix = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9a-fA-F]{1,8}(-?[0-9a-fA-F]{1,4}){0,3}(-?[0-9a-fA-F]{1,12})?$",
        max_length=36,
        description="First digits of an id.",
    ),
]


def _page(found: list[oversight.OverseenJob], total: int, paging: Any) -> Page[AdminJobRead]:
    return Page(
        data=[AdminJobRead.model_validate(job) for job in found],
        total=total,
        page=paging.page,
        page_size=paging.page_size,
    )


@router.get("/jobs")
async def search_jobs(
    db: EngineDb,
    paging: PageQuery,
    status: StatusName | None = None,
    kind: str | None = None,
    lane: LaneName | None = None,
    owner_id: UUID | None = None,
    tag: Annotated[str | None, Query(max_length=100)] = None,
    error_code: str | None = None,
    created_from: AwareDatetime | None = None,
    created_to: AwareDatetime | None = None,
    finished_from: AwareDatetime | None = None,
    finished_to: AwareDatetime | None = None,
    id_prefix: IdPrefix = None,
) -> Page[AdminJobRead]:
    """Jobs of all users, newest first. `total` is counted up to 10,000."""
    search = Search(
        Status(status) if status else None,
        kind,
        lane,
        owner_id,
        tag,
        error_code,
        created_from,
        created_to,
        finished_from,
        finished_to,
        id_prefix,
    )
    found, total = await perform_async(
        db, oversight.find(search, limit=paging.page_size, offset=paging.offset)
    )
    return _page(found, total, paging)


@router.get("/jobs/{job_id}")
async def inspect_job(job_id: UUID, db: EngineDb) -> One[AdminJobDetail]:
    """A job of anybody's with its attempts and its log, without what people wrote."""
    found = await perform_async(db, oversight.detail(job_id))
    job = AdminJobRead.model_validate(found.job)
    return One(
        data=AdminJobDetail(
            **job.model_dump(),
            attempts=[AttemptRead.model_validate(each) for each in found.attempts],
            events=[EventRead.model_validate(each) for each in found.events],
        )
    )


@router.get("/dead-letters")
async def list_dead_letters(
    db: EngineDb,
    paging: PageQuery,
    kind: str | None = None,
    lane: LaneName | None = None,
    owner_id: UUID | None = None,
    error_code: str | None = None,
    finished_from: AwareDatetime | None = None,
    finished_to: AwareDatetime | None = None,
    replayed: bool | None = None,
) -> Page[AdminJobRead]:
    """Jobs that failed by a lost worker, a bug of ours, or a retryable error that outlasted all
    attempts; by their end, newest first. `replayed=false` leaves out those with a successor."""
    search = Search(
        kind=kind,
        lane=lane,
        owner_id=owner_id,
        error_code=error_code,
        finished_from=finished_from,
        finished_to=finished_to,
        dead_letters=True,
        replayed=replayed,
    )
    found, total = await perform_async(
        db, oversight.find(search, limit=paging.page_size, offset=paging.offset)
    )
    return _page(found, total, paging)


NOT_DEAD: dict[int | str, dict[str, Any]] = {
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "It is no dead letter, or of a kind that this release does not know.",
    }
}


def _publish(room: Any, replayed: list[replays.Replayed]) -> None:
    """After the commit: the successors wait for their admission."""
    for lane in {each.lane for each in replayed}:
        room.publisher.job_waits(lane)
    room.feed.mark({each.owner_id for each in replayed})


@router.post("/dead-letters/{job_id}/replay", responses=NOT_DEAD)
async def replay_dead_letter(
    job_id: UUID, admin: Acting, process: Process, room: Room
) -> One[ReplayedRead]:
    """Submit a dead letter's input again, for its owner. Idempotent: one that was replayed
    answers with the successor that it has."""
    async with process.databases.engine.transaction() as db:
        done = await perform_async(db, replays.replay(job_id, KINDS))
        if not done.repeated:
            successor = str(done.successor_id)
            recorded = record(admin, "job.replay", str(job_id), successor_id=successor)
            await perform_async(db, recorded)
    _publish(room, [done])
    return One(data=ReplayedRead.model_validate(done))


@router.post("/dead-letters/replay")
async def replay_dead_letters(
    body: ReplayRequest, admin: Acting, process: Process, room: Room
) -> One[ReplayedAll]:
    """Replay the newest dead letters that match and were not replayed yet, 100 at most."""
    search = Search(**body.model_dump(exclude={"limit"}))
    async with process.databases.engine.transaction() as db:
        done, left = await perform_async(db, replays.replay_all(search, KINDS, limit=body.limit))
        asked = body.model_dump(mode="json", exclude_none=True)
        ids = [str(each.job_id) for each in done]
        await perform_async(db, record(admin, "jobs.replay", "dead-letters", asked=asked, ids=ids))
    _publish(room, done)
    return One(
        data=ReplayedAll(replayed=[ReplayedRead.model_validate(each) for each in done], left=left)
    )


@router.get("/pauses")
async def list_pauses(db: EngineDb) -> One[list[PauseRead]]:
    """Kinds and lanes that are paused."""
    found = await perform_async(db, pauses.pauses())
    return One(data=[PauseRead.model_validate(each) for each in found])


ScopeName = Annotated[Scope, Path(description="`kind` or `lane`.")]
PausedName = Annotated[str, Path(max_length=100, description="Of the kind or lane.")]


def _check_name(scope: Scope, name: str) -> None:
    """Only what exists can be paused: a typo would hold up nothing and look as if it did."""
    known = set(KINDS) if scope is Scope.KIND else {lane.value for lane in Lane}
    if name not in known:
        raise NotFound


@router.put("/pauses/{scope}/{name}")
async def pause(
    scope: ScopeName, name: PausedName, body: PauseRequest, admin: Acting, process: Process
) -> One[PauseRead]:
    """Begin no more jobs of a kind, or of a lane: new ones are accepted and wait in their order,
    with `eta_s` null; those that run go on. Idempotent."""
    _check_name(scope, name)
    async with process.databases.engine.transaction() as db:
        paused = await perform_async(db, pauses.pause(scope, name, admin.id, body.reason))
        await perform_async(db, record(admin, f"{scope.value}.pause", name, reason=body.reason))
    return One(data=PauseRead.model_validate(paused))


@router.delete("/pauses/{scope}/{name}", status_code=204)
async def resume(
    scope: ScopeName, name: PausedName, admin: Acting, process: Process, room: Room
) -> Response:
    """Begin jobs again."""
    async with process.databases.engine.transaction() as db:
        if not await perform_async(db, pauses.resume(scope, name)):
            raise NotFound
        await perform_async(db, record(admin, f"{scope.value}.resume", name))
    for lane in Lane:
        room.publisher.job_waits(lane)
    return Response(status_code=204)


@router.get("/workers")
async def list_workers(db: EngineDb) -> One[list[WorkerRead]]:
    """Workers that have not ended, and what they run."""
    found = await perform_async(db, fleet.living())
    return One(data=[WorkerRead.model_validate(each) for each in found])


@router.post("/workers/{name}/drain", status_code=202)
async def drain_worker(
    name: Annotated[str, Path(max_length=255, examples=["compute@host"])],
    admin: Acting,
    process: Process,
) -> One[WorkerRead]:
    """Let a worker take no more jobs, give back what does not end within seconds, and end with
    exit code 0: its supervisor starts it again. It hears of it within five seconds. Idempotent."""
    async with process.databases.engine.transaction() as db:
        worker_id = await perform_async(db, fleet.drain_by_name(name))
        await perform_async(db, record(admin, "worker.drain", name, worker_id=str(worker_id)))
        found = await perform_async(db, fleet.living())
    return One(data=WorkerRead.model_validate(next(x for x in found if x.id == worker_id)))


@router.get("/actions")
async def list_actions(db: EngineDb, paging: PageQuery) -> Page[ActionRead]:
    """What admins did, newest first."""
    found, total = await perform_async(
        db, admin_actions.page(limit=paging.page_size, offset=paging.offset)
    )
    return Page(
        data=[ActionRead.model_validate(each) for each in found],
        total=total,
        page=paging.page,
        page_size=paging.page_size,
    )

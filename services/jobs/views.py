"""Reading jobs: one, a page, their events, and where they stand in the queue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from core.database import Steps, bind
from models.job import Status
from services.jobs.errors import JobNotFound
from services.jobs.pauses import paused

#: Inputs and results above these sizes are left out where many jobs travel. Bytes.
INPUT_INLINE = 64 * 1024
RESULT_INLINE = 256 * 1024


@dataclass(frozen=True)
class JobView:
    """A job as its owner sees it."""

    id: UUID
    owner_id: UUID
    kind: str
    lane: str
    status: Status
    seq: int
    max_attempts: int
    tags: list[str]
    created_at: datetime
    input_size: int
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    deadline_at: datetime | None = None
    start_by: datetime | None = None
    cancel_requested_at: datetime | None = None
    superseded_by: UUID | None = None
    retry_of: UUID | None = None
    parent_id: UUID | None = None
    children_total: int = 0
    children_finished: int = 0
    children_failed: int = 0
    input: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    result_size: int | None = None
    error: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    queue_position: int | None = None
    #: Whether its kind or lane is not begun at present: nobody knows until when.
    paused: bool = False
    #: Seconds that the present attempt has run.
    running_s: float | None = None
    #: Seconds before which a queued job does not start: it waits for its next attempt.
    ready_in_s: float = 0.0


_VIEW = """
SELECT j.id, j.owner_id, j.kind, j.lane, j.status, j.seq, j.attempt, j.max_attempts, j.tags,
    j.created_at, j.started_at, j.finished_at, j.expires_at, j.deadline_at, j.start_by,
    j.cancel_requested_at, j.superseded_by, j.retry_of, j.parent_id,
    j.children_total, j.children_finished, j.children_failed,
    CASE WHEN p.input_size <= :input_max THEN p.input END AS input, p.input_size,
    CASE WHEN p.result_size <= :result_max THEN p.result END AS result, p.result_size, p.error,
    r.progress,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name, 'media_type',
        a.media_type, 'size_bytes', a.size_bytes, 'sha256', a.sha256,
        'expires_at', least(a.expires_at, j.expires_at)) ORDER BY a.created_at, a.id)
        FROM artifacts a WHERE a.job_id = j.id AND a.missing_at IS NULL), '[]') AS artifacts,
    {rank} AS queue_position, j.status = 'queued' AND {paused} AS paused,
    CASE WHEN j.status = 'running' THEN extract(epoch FROM now() - (
        SELECT max(started_at) FROM job_attempts t WHERE t.job_id = j.id))::float8 END AS running_s,
    greatest(0, extract(epoch FROM j.ready_at - now()))::float8 AS ready_in_s
FROM jobs j JOIN job_payloads p ON p.job_id = j.id LEFT JOIN job_runs r ON r.job_id = j.id
"""

_RANK = """CASE WHEN j.status = 'queued' THEN fair_rank(j.lane, j.owner_id, j.priority, j.ready_at,
        j.id, j.admitted_at IS NOT NULL) END"""
_PAUSED = paused("j.kind", "j.lane")
_RANKED = _VIEW.format(rank=_RANK, paused=_PAUSED)

_ONE = text(_RANKED + "WHERE j.id = :id AND j.owner_id = :owner")
_MANY = text(_RANKED + "WHERE j.id = ANY(:ids)")
_OF_OWNERS = text(
    _VIEW.format(rank="NULL::integer", paused=_PAUSED)
    + "JOIN unnest(CAST(:ids AS uuid[]), CAST(:owners AS uuid[])) AS wanted (id, owner)"
    " ON j.id = wanted.id AND j.owner_id = wanted.owner"
)


def _view(row: Row[Any]) -> JobView:
    return JobView(**{**row._mapping, "status": Status(row.status)})


def read(owner_id: UUID, job_id: UUID, *, whole: bool = False) -> Steps[JobView]:
    """One job of its owner.

    Args:
        whole: with input and result of any size.

    Raises:
        JobNotFound
    """
    top = 2**31 - 1
    row = (
        yield bind(
            _ONE,
            id=job_id,
            owner=owner_id,
            input_max=top if whole else INPUT_INLINE,
            result_max=top if whole else RESULT_INLINE,
        )
    ).first()
    if row is None:
        raise JobNotFound
    return _view(row)


def read_many(job_ids: Sequence[UUID]) -> Steps[dict[UUID, JobView]]:
    """Several jobs, for their terminal events; the caller has checked who may see them."""
    bound = bind(_MANY, ids=list(job_ids), input_max=INPUT_INLINE, result_max=RESULT_INLINE)
    return {row.id: _view(row) for row in (yield bound).all()}


def read_of_owners(
    wanted: Collection[tuple[UUID, UUID]],
) -> Steps[dict[tuple[UUID, UUID], JobView]]:
    """Jobs of several owners at once, as role `engine`.

    Args:
        wanted: owner and job.

    Returns:
        By owner and job; what is another's is left out, like what is not there.
    """
    owners, ids = [owner for owner, _ in wanted], [job_id for _, job_id in wanted]
    bound = bind(
        _OF_OWNERS, ids=ids, owners=owners, input_max=INPUT_INLINE, result_max=RESULT_INLINE
    )
    found = {row.id: _view(row) for row in (yield bound).all()}
    queued = [job_id for job_id, view in found.items() if view.status == Status.QUEUED]
    for spot in (yield from positions(queued)) if queued else ():
        found[spot.job_id] = replace(found[spot.job_id], queue_position=spot.position)
    return {(view.owner_id, view.id): view for view in found.values()}


_UNFINISHED = text("""
SELECT id FROM jobs
WHERE owner_id = :owner AND finished_at IS NULL
  AND (CAST(:tag AS text) IS NULL OR :tag = ANY(tags))
ORDER BY id
""")


def unfinished(owner_id: UUID, tag: str | None = None) -> Steps[list[JobView]]:
    """All jobs of an owner that have not ended, oldest first, as role `engine`."""
    ids = (yield bind(_UNFINISHED, owner=owner_id, tag=tag)).scalars().all()
    found = yield from read_of_owners([(owner_id, job_id) for job_id in ids])
    return [found[owner_id, job_id] for job_id in ids if (owner_id, job_id) in found]


@dataclass(frozen=True)
class Filter:
    """Which jobs a list shows; None means any."""

    kind: str | None = None
    status: Status | None = None
    tag: str | None = None
    parent: UUID | None = None
    oldest_first: bool = False


def page(
    owner_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[JobView], int]]:
    """A page of the owner's jobs, newest first, and how many there are in all."""
    conditions = "owner_id = :owner"
    values: dict[str, Any] = {"owner": owner_id}
    if which.kind is not None:
        conditions, values["kind"] = conditions + " AND kind = :kind", which.kind
    if which.status is not None:
        conditions, values["status"] = conditions + " AND status = :status", which.status.value
    if which.tag is not None:
        conditions, values["tag"] = conditions + " AND :tag = ANY(tags)", which.tag
    if which.parent is not None:
        conditions, values["parent"] = conditions + " AND parent_id = :parent", which.parent
    order = "id" if which.oldest_first else "id DESC"
    # put together from the constants above; values are always bound
    rows = f"FROM jobs WHERE {conditions}"
    total = (yield bind(text(f"SELECT count(*) {rows}"), **values)).scalar_one()
    ids = text(f"SELECT id {rows} ORDER BY {order} LIMIT :limit OFFSET :offset")
    found = (yield bind(ids, **values, limit=limit, offset=offset)).scalars().all()
    views = yield from read_many(found)
    return [views[job_id] for job_id in found if job_id in views], int(total)


@dataclass(frozen=True)
class Event:
    """One numbered line of a job's log."""

    job_id: UUID
    seq: int
    type: str
    data: dict[str, Any]
    at: datetime


_EVENTS = text("""
SELECT e.job_id, e.seq, e.type, e.data, e.at
FROM unnest(CAST(:ids AS uuid[]), CAST(:seqs AS integer[])) AS known (job_id, seq)
JOIN job_events e ON e.job_id = known.job_id AND e.seq > known.seq
ORDER BY e.job_id, e.seq LIMIT :limit
""")


def events_after(known: Sequence[tuple[UUID, int]], *, limit: int = 1000) -> Steps[list[Event]]:
    """What the logs of these jobs hold past the given numbers, in order."""
    bound = bind(
        _EVENTS, ids=[job_id for job_id, _ in known], seqs=[seq for _, seq in known], limit=limit
    )
    return [Event(**row._mapping) for row in (yield bound).all()]


@dataclass(frozen=True)
class Spot:
    """Where a queued job stands in its lane, from 1."""

    job_id: UUID
    kind: str
    lane: str
    position: int
    paused: bool = False


#: One scan of the queue, whoever asks and for how many; the order is that of `fair_rank`.
PLACES = """
WITH queue AS (
    SELECT id, owner_id, kind, lane, ready_at, admitted_at IS NULL AS waits,
           admitted_at IS NULL AND job_yields(priority, ready_at) AS yields
    FROM jobs WHERE status = 'queued' AND ready_at <= now()
), running AS (
    SELECT lane, owner_id, count(*) AS n FROM jobs WHERE status = 'running' GROUP BY lane, owner_id
), turns AS (
    SELECT queue.*, coalesce(running.n, 0)
        + count(*) FILTER (WHERE NOT waits) OVER (PARTITION BY queue.lane, owner_id)
        + row_number() OVER (PARTITION BY queue.lane, owner_id, waits
                             ORDER BY yields, ready_at, id) AS turn
    FROM queue LEFT JOIN running USING (lane, owner_id)
), places AS (
    SELECT id, kind, lane, CASE WHEN waits THEN turn ELSE 0 END AS turn,
        (row_number() OVER (PARTITION BY lane ORDER BY waits, yields,
            CASE WHEN waits THEN turn END, ready_at, id))::int AS position
    FROM turns
)
"""
_POSITIONS = text(f"""{PLACES}
SELECT id AS job_id, kind, lane, position FROM places WHERE id = ANY(:ids) AND position <= 1000
""")  # noqa: S608  # a constant


def positions(job_ids: Sequence[UUID]) -> Steps[list[Spot]]:
    """Where those of the jobs stand that wait in a queue, as role `engine`."""
    return [Spot(**row._mapping) for row in (yield bind(_POSITIONS, ids=list(job_ids))).all()]

"""All jobs of all users, as operators see them: what moved and why, not what people wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from core.database import Steps, bind
from models.job import Status
from services.jobs.errors import JobNotFound

#: Counting stops here: a total of everything would read everything.
COUNTED = 10_000
#: Events that a detail shows.
EVENTS_SHOWN = 1000


@dataclass(frozen=True)
class OverseenJob:
    """A job without its input and result."""

    id: UUID
    owner_id: UUID
    kind: str
    lane: str
    status: str
    priority: str
    attempt: int
    max_attempts: int
    errors: int
    crashes: int
    tags: list[str]
    created_at: datetime
    ready_at: datetime
    admitted_at: datetime | None
    admissions: int
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    cancel_requested_at: datetime | None
    error: dict[str, Any] | None
    input_size_bytes: int
    result_size_bytes: int | None
    retry_of: UUID | None
    #: The job that took its place, where an operator replayed it.
    replayed_as: UUID | None
    trace: str | None


@dataclass(frozen=True)
class OverseenAttempt:
    """One claim, who ran it, and how it ended."""

    attempt: int
    worker_id: UUID
    worker: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: dict[str, Any] | None
    lease_until: datetime | None


@dataclass(frozen=True)
class OverseenEvent:
    """One line of the log; `data` only where it holds nothing that people wrote."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any] | None


@dataclass(frozen=True)
class Search:
    """Which jobs are looked for; None means any. Times are `[from, to)`."""

    status: Status | None = None
    kind: str | None = None
    lane: str | None = None
    owner_id: UUID | None = None
    tag: str | None = None
    error_code: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    finished_from: datetime | None = None
    finished_to: datetime | None = None
    #: First digits of an id, with or without its hyphens.
    id_prefix: str | None = None
    #: Only jobs that failed by an error that another attempt may not meet.
    dead_letters: bool = False
    #: With `dead_letters`: only those that were replayed, or were not.
    replayed: bool | None = None


_COLUMNS = """
SELECT j.id, j.owner_id, j.kind, j.lane, j.status, j.priority, j.attempt, j.max_attempts, j.errors,
    j.crashes, j.tags, j.created_at, j.ready_at, j.admitted_at, j.admissions, j.started_at,
    j.finished_at, j.deadline_at, j.cancel_requested_at, p.error, p.input_size AS input_size_bytes,
    p.result_size AS result_size_bytes, j.retry_of, replays.successor_id AS replayed_as, j.trace
"""
_FROM = """
FROM jobs j JOIN job_payloads p ON p.job_id = j.id LEFT JOIN replays ON replays.job_id = j.id
"""

# A lost worker, a bug of ours, or a retryable error that outlasted all attempts.
IS_DEAD_LETTER = """
    j.status = 'failed' AND (p.error->>'error_code' IN ('WORKER_LOST', 'INTERNAL_ERROR')
                             OR p.error->>'retryable' = 'true')"""

#: Conditions by field of `Search`; values are always bound. A status is written out, for the
#: planner takes a partial index only where it sees the value.
_CONDITIONS = {
    "kind": "j.kind = :kind",
    "lane": "j.lane = :lane",
    "owner_id": "j.owner_id = :owner_id",
    "tag": ":tag = ANY(j.tags)",
    "error_code": "j.status = 'failed' AND p.error->>'error_code' = :error_code",
    "created_from": "j.created_at >= :created_from",
    "created_to": "j.created_at < :created_to",
    "finished_from": "j.finished_at >= :finished_from",
    "finished_to": "j.finished_at < :finished_to",
}


def _ids_of(prefix: str) -> tuple[UUID, UUID]:
    """The first and the last id that begin so."""
    digits = prefix.replace("-", "")
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _where(search: Search) -> tuple[str, dict[str, Any]]:
    conditions, values = ["true"], dict[str, Any]()
    for name, condition in _CONDITIONS.items():
        value = getattr(search, name)
        if value is not None:
            conditions.append(condition)
            values[name] = value
    if search.status is not None:
        conditions.append(f"j.status = '{search.status.value}'")
    if search.id_prefix is not None:
        conditions.append("j.id BETWEEN :first AND :last")
        values["first"], values["last"] = _ids_of(search.id_prefix)
    if search.dead_letters:
        conditions.append(IS_DEAD_LETTER)
    if search.replayed is not None:
        conditions.append(f"replays.job_id IS {'NOT ' if search.replayed else ''}NULL")
    return " AND ".join(conditions), values


def _job(row: Row[Any]) -> OverseenJob:
    return OverseenJob(**row._mapping)


def find(search: Search, *, limit: int, offset: int) -> Steps[tuple[list[OverseenJob], int]]:
    """A page of the jobs that are looked for, as role `engine`; newest first, dead letters by
    their end.

    Returns:
        The jobs, and how many there are, counted to `COUNTED`.
    """
    where, values = _where(search)
    # put together from the constants above
    matching = f"{_FROM} WHERE {where}"
    counted = text(f"SELECT count(*)::int FROM (SELECT {matching} LIMIT {COUNTED}) a")  # noqa: S608
    total: int = (yield bind(counted, **values)).scalar_one()
    order = "j.finished_at DESC, j.id DESC" if search.dead_letters else "j.id DESC"
    page = text(f"{_COLUMNS} {matching} ORDER BY {order} LIMIT :limit OFFSET :offset")
    rows = (yield bind(page, **values, limit=limit, offset=offset)).all()
    return [_job(row) for row in rows], total


_ONE = text(f"{_COLUMNS} {_FROM} WHERE j.id = :id")
_ATTEMPTS = text("""
SELECT a.attempt, a.worker_id, w.name AS worker, a.started_at, a.ended_at, a.outcome, a.error,
       r.lease_until
FROM job_attempts a LEFT JOIN workers w ON w.id = a.worker_id
    LEFT JOIN job_runs r ON r.job_id = a.job_id AND r.fence = a.fence
WHERE a.job_id = :id ORDER BY a.started_at, a.attempt
""")
_EVENTS = text("""
SELECT seq, type, at, CASE WHEN type IN ('job.queued', 'job.started', 'job.retrying')
                           THEN data END AS data
FROM job_events WHERE job_id = :id ORDER BY seq DESC LIMIT :limit
""")


@dataclass(frozen=True)
class Detail:
    """A job with its history, events newest first."""

    job: OverseenJob
    attempts: list[OverseenAttempt]
    events: list[OverseenEvent]


def detail(job_id: UUID) -> Steps[Detail]:
    """One job of anybody's, as role `engine`.

    Raises:
        JobNotFound
    """
    row = (yield bind(_ONE, id=job_id)).first()
    if row is None:
        raise JobNotFound
    attempts = (yield bind(_ATTEMPTS, id=job_id)).all()
    events = (yield bind(_EVENTS, id=job_id, limit=EVENTS_SHOWN)).all()
    return Detail(
        _job(row),
        [OverseenAttempt(**each._mapping) for each in attempts],
        [OverseenEvent(**each._mapping) for each in events],
    )

"""Worker incarnations: who lives, who drains, and whose leases ended with a death."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.kind import Lane
from services.jobs.admission import BEAT_TIMEOUT_S
from services.jobs.errors import WorkerNotFound

# An earlier incarnation of the same name is dead, for its successor stands here; `rescue`
# then frees what it held at once, without waiting for leases to end.
_ENTER = text("""
WITH dead AS (
    UPDATE workers SET ended_at = now() WHERE name = :name AND id <> :id AND ended_at IS NULL
)
INSERT INTO workers (id, name, lane, slots) VALUES (:id, :name, :lane, :slots)
""")


def enter(worker_id: UUID, name: str, lane: Lane, slots: int) -> Steps[None]:
    """Register an incarnation and declare its predecessors dead."""
    yield bind(_ENTER, id=worker_id, name=name, lane=lane.value, slots=slots)


_BEAT = text("""
UPDATE workers SET beat_at = now(), slots = :slots WHERE id = :id AND ended_at IS NULL
RETURNING draining_at IS NOT NULL AS draining
""")


class Orders(StrEnum):
    """What a living incarnation is told."""

    WORK = "work"
    DRAIN = "drain"


def beat(worker_id: UUID, slots: int) -> Steps[Orders | None]:
    """Say that the incarnation lives; None where it has been declared dead."""
    row = (yield bind(_BEAT, id=worker_id, slots=slots)).first()
    if row is None:
        return None
    return Orders.DRAIN if row.draining else Orders.WORK


_DRAIN = text("UPDATE workers SET draining_at = coalesce(draining_at, now()) WHERE id = :id")


def drain(worker_id: UUID) -> Steps[None]:
    """Take no more work; runs give back what they cannot end soon."""
    yield bind(_DRAIN, id=worker_id)


_DRAIN_BY_NAME = text("""
UPDATE workers SET draining_at = coalesce(draining_at, now())
WHERE name = :name AND ended_at IS NULL AND beat_at > now() - make_interval(secs => :beat_s)
RETURNING id
""")


def drain_by_name(name: str) -> Steps[UUID]:
    """Tell the living worker of this name to end; its foreman hears of it at its next beat.

    Raises:
        WorkerNotFound
    """
    row = (yield bind(_DRAIN_BY_NAME, name=name, beat_s=BEAT_TIMEOUT_S)).first()
    if row is None:
        raise WorkerNotFound
    worker_id: UUID = row.id
    return worker_id


@dataclass(frozen=True)
class WorkerView:
    """A living incarnation, and the jobs that it runs."""

    id: UUID
    name: str
    lane: str
    slots: int
    started_at: datetime
    beat_at: datetime
    draining_at: datetime | None
    jobs: list[UUID]


# those that have ended, or fell silent a while ago, are history
_LIVING = text("""
SELECT w.id, w.name, w.lane, w.slots, w.started_at, w.beat_at, w.draining_at,
    ARRAY(SELECT j.id FROM jobs j JOIN job_runs r ON r.job_id = j.id
          WHERE j.lane = w.lane AND j.status = 'running' AND r.worker_id = w.id
          ORDER BY j.id LIMIT 1000) AS jobs
FROM workers w
WHERE w.ended_at IS NULL AND w.beat_at > now() - interval '1 hour' ORDER BY w.lane, w.name
""")


def living() -> Steps[list[WorkerView]]:
    """All workers that have not ended, as role `engine`; the beat says how fresh that is."""
    return [WorkerView(**row._mapping) for row in (yield _LIVING).all()]


# A message that was sent a second time was lost, or lies where this worker does not look.
_IGNORED = text("""
SELECT EXISTS (SELECT FROM jobs WHERE lane = :lane AND status = 'queued'
               AND admitted_at IS NOT NULL AND admissions > 1)
   AND :slots > (SELECT count(*) FROM jobs j JOIN job_runs r ON r.job_id = j.id
                 WHERE j.lane = :lane AND j.status = 'running' AND r.worker_id = :id)
""")


def ignores_messages(worker_id: UUID, lane: Lane, slots: int) -> Steps[bool]:
    """Whether messages of the lane wait unclaimed, sent more than once, while slots are idle."""
    bound = bind(_IGNORED, id=worker_id, lane=lane.value, slots=slots)
    return bool((yield bound).scalar_one())


_LEAVE = text("UPDATE workers SET ended_at = coalesce(ended_at, now()) WHERE id = :id")


def leave(worker_id: UUID) -> Steps[None]:
    """The incarnation ends; whatever it still held is free."""
    yield bind(_LEAVE, id=worker_id)


_CLOCK = text("SELECT clock_timestamp()")


def clock() -> Steps[datetime]:
    """The time of Postgres, by which claims are dated."""
    at: datetime = (yield _CLOCK).scalar_one()
    return at


_BURY_UNSEEN = text("""
UPDATE job_runs SET lease_until = '-infinity' FROM job_attempts
WHERE job_runs.worker_id = :id AND job_runs.lease_until IS NOT NULL
  AND job_runs.pid <> ALL(:living)
  AND job_attempts.fence = job_runs.fence AND job_attempts.started_at < :listed_at
RETURNING job_runs.job_id
""")


def bury_unseen(worker_id: UUID, living: Collection[int], listed_at: datetime) -> Steps[int]:
    """End the leases of this incarnation's children that nobody saw alive.

    Args:
        living: process ids, the parent's included.
        listed_at: a time of Postgres from before `living` was listed; whoever claimed after
            it may be younger than the list.

    Returns:
        How many leases were ended.
    """
    bound = bind(_BURY_UNSEEN, id=worker_id, living=list(living), listed_at=listed_at)
    return len((yield bound).all())


_BURY = text("""
UPDATE job_runs SET lease_until = '-infinity'
WHERE worker_id = :id AND pid = ANY(:pids) AND lease_until IS NOT NULL
""")


def bury(worker_id: UUID, pids: Collection[int]) -> Steps[None]:
    """End the leases of worker children that have died."""
    yield bind(_BURY, id=worker_id, pids=list(pids))

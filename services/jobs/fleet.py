"""Worker incarnations: who lives, who drains, and whose leases ended with a death."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.kind import Lane

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
RETURNING id
""")


def beat(worker_id: UUID, slots: int) -> Steps[bool]:
    """Say that the incarnation lives; False where it has been declared dead."""
    return (yield bind(_BEAT, id=worker_id, slots=slots)).first() is not None


_DRAIN = text("UPDATE workers SET draining_at = coalesce(draining_at, now()) WHERE id = :id")


def drain(worker_id: UUID) -> Steps[None]:
    """Take no more work; runs give back what they cannot end soon."""
    yield bind(_DRAIN, id=worker_id)


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

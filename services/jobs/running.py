"""What a running attempt writes and reads: its fence, its lease, its progress, its orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind


@dataclass(frozen=True)
class Held:
    """A job that is still ours until the transaction ends."""

    #: A newer job has taken its place: whatever it found out must change nothing any more.
    superseded: bool


# Locking the run's row by its fence first makes every later write of the transaction
# safe: whoever wants to take the job away must lock the same row. The job's own row keeps a
# newer job from taking its place between here and the end of the transaction.
_HOLD = text("""
SELECT j.superseded_by IS NOT NULL AS superseded FROM job_runs r JOIN jobs j ON j.id = r.job_id
WHERE r.job_id = :id AND r.fence = :fence AND r.lease_until IS NOT NULL
FOR NO KEY UPDATE
""")


def hold(job_id: UUID, fence: UUID) -> Steps[Held | None]:
    """Keep anyone from taking the job away until the transaction ends; None if it is gone."""
    row = (yield bind(_HOLD, id=job_id, fence=fence)).first()
    return None if row is None else Held(row.superseded)


_PROGRESS = text("""
WITH mine AS (
    UPDATE job_runs SET progress = CAST(:progress AS jsonb)
    WHERE job_id = :id AND fence = :fence RETURNING job_id
), job AS (
    UPDATE jobs SET seq = seq + 1 WHERE id = (SELECT job_id FROM mine) AND status = 'running'
    RETURNING id, owner_id, seq
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.progress',
           jsonb_build_object('progress', CAST(:progress AS jsonb)) FROM job
)
SELECT seq FROM job
""")


def progress(job_id: UUID, fence: UUID, body: dict[str, Any]) -> Steps[int | None]:
    """Log progress under the fence.

    Returns:
        The number of the event, or None where the fence is no longer ours.
    """
    bound = bind(_PROGRESS, id=job_id, fence=fence, progress=json.dumps(body))
    row = (yield bound).first()
    return None if row is None else int(row.seq)


_RENEW = text("""
UPDATE job_runs SET lease_until = now() + make_interval(secs => :lease_s)
WHERE job_id = ANY(:ids) AND fence = ANY(:fences) AND lease_until IS NOT NULL
""")


def renew(job_ids: Sequence[UUID], fences: Sequence[UUID], lease_s: float) -> Steps[None]:
    """Renew the leases that are still ours. Need not be durable: it carries no number."""
    yield bind(_RENEW, ids=list(job_ids), fences=list(fences), lease_s=lease_s)


@dataclass(frozen=True)
class Orders:
    """What a run should do, as Postgres sees it."""

    fence: UUID
    cancel: bool
    finish: bool
    past_deadline: bool
    drain_for_s: float | None


_ORDERS = text("""
SELECT r.fence, j.cancel_requested_at IS NOT NULL AS cancel,
       j.finish_requested_at IS NOT NULL AS finish,
       coalesce(j.deadline_at <= now(), false) AS past_deadline,
       extract(epoch FROM now() - w.draining_at)::float8 AS drain_for_s
FROM job_runs r JOIN jobs j ON j.id = r.job_id LEFT JOIN workers w ON w.id = r.worker_id
WHERE r.job_id = ANY(:ids) AND r.fence = ANY(:fences) AND j.status = 'running'
  AND (w.id IS NULL OR w.ended_at IS NULL)
""")


def orders(job_ids: Sequence[UUID], fences: Sequence[UUID]) -> Steps[dict[UUID, Orders]]:
    """Orders for all runs of a process in one query, by fence. One that is missing is lost."""
    rows = (yield bind(_ORDERS, ids=list(job_ids), fences=list(fences))).all()
    return {row.fence: Orders(**row._mapping) for row in rows}

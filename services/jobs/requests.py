"""What an owner asks of a job underway: cancel it, or finish it with the best result so far."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.broker import Grown
from core.database import Steps, bind
from core.kind import Kind
from models.job import TERMINAL, Status
from services.jobs.children import lock_below
from services.jobs.errors import JobFinished, JobNotFound, KindGone, NotImproving

# Whoever waits holds no worker and ends at once; a running attempt is asked to stop.
_CANCEL = text("""
WITH job AS (
    UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
        status = CASE WHEN status = 'running' THEN status ELSE 'cancelled' END,
        seq = seq + CASE WHEN status = 'running' THEN 0 ELSE 1 END,
        finished_at = CASE WHEN status = 'running' THEN NULL ELSE now() END,
        expires_at = CASE WHEN status = 'running' THEN NULL
                          ELSE now() + make_interval(secs => :keep_s) END
    WHERE id = :id AND owner_id = :owner AND finished_at IS NULL
    RETURNING id, owner_id, seq, status
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type)
    SELECT id, owner_id, seq, 'job.cancelled' FROM job WHERE status = 'cancelled'
)
SELECT status FROM job
""")

_EXISTS = text("SELECT status, kind FROM jobs WHERE id = :id AND owner_id = :owner")


def cancel(owner_id: UUID, job_id: UUID, *, keep_days: float) -> Steps[list[Grown]]:
    """Cancel a job, or ask its worker to, and all that it waits for. Idempotent; an ended job
    stays as it ended.

    Returns:
        Its descendants whose logs may have grown.

    Raises:
        JobNotFound
    """
    below = yield from lock_below(owner_id, job_id)
    row = (yield bind(_CANCEL, id=job_id, owner=owner_id, keep_s=keep_days * 86400)).first()
    if row is None and (yield bind(_EXISTS, id=job_id, owner=owner_id)).first() is None:
        raise JobNotFound
    return below


_FINISH = text("""
UPDATE jobs SET finish_requested_at = coalesce(finish_requested_at, now())
WHERE id = :id AND owner_id = :owner AND finished_at IS NULL
""")


def finish(owner_id: UUID, job_id: UUID, kinds: dict[str, Kind[Any, Any]]) -> Steps[None]:
    """Ask a job to end now with its best result. One that has succeeded already is content.

    Raises:
        JobNotFound, KindGone, NotImproving, JobFinished: it ended without a result.
    """
    job = (yield bind(_EXISTS, id=job_id, owner=owner_id)).first()
    if job is None:
        raise JobNotFound
    if job.kind not in kinds:
        raise KindGone
    if not kinds[job.kind].improves:
        raise NotImproving
    if job.status in TERMINAL and job.status != Status.SUCCEEDED:
        raise JobFinished
    yield bind(_FINISH, id=job_id, owner=owner_id)

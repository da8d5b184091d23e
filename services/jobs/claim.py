"""Taking a job: one statement that makes it running, leased and fenced, or does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from core.database import Steps, bind
from services.jobs.pauses import paused


@dataclass(frozen=True)
class Claimed:
    """A job that this worker holds, until its lease ends."""

    job_id: UUID
    owner_id: UUID
    kind: str
    #: Random token of this claim; every write of the run names it.
    fence: UUID
    attempt: int
    errors: int
    crashes: int
    max_attempts: int
    deadline_at: datetime | None
    trace: str | None
    input: dict[str, Any]
    #: Whether its owner has webhooks: whoever writes an event then says that messages wait.
    watched: bool = False
    #: What the attempts before it have saved.
    checkpoint: dict[str, Any] | None = None
    parent_id: UUID | None = None
    #: Generations above it.
    depth: int = 0


_CLAIM = text(f"""
WITH claimed AS (
    UPDATE jobs SET status = 'running', attempt = attempt + 1, seq = seq + 1, admitted_at = NULL,
        admissions = 0, started_at = coalesce(started_at, now())
    WHERE id = :id AND status = 'queued' AND attempt = :attempt AND ready_at <= now()
      AND cancel_requested_at IS NULL
      AND (start_by IS NULL OR started_at IS NOT NULL OR now() < start_by)
      AND (deadline_at IS NULL OR now() < deadline_at)
      AND NOT {paused("jobs.kind", "jobs.lane")}
      AND EXISTS (SELECT FROM workers WHERE workers.id = :worker AND ended_at IS NULL)
    RETURNING id, owner_id, kind, seq, attempt, errors, crashes, max_attempts, deadline_at, trace,
        parent_id, depth
), run AS (
    INSERT INTO job_runs (job_id, owner_id, fence, worker_id, pid, lease_until)
    SELECT id, owner_id, :fence, :worker, :pid, now() + make_interval(secs => :lease_s) FROM claimed
    ON CONFLICT (job_id) DO UPDATE SET fence = excluded.fence, worker_id = excluded.worker_id,
        pid = excluded.pid, lease_until = excluded.lease_until, progress = NULL
), history AS (
    INSERT INTO job_attempts (fence, job_id, owner_id, attempt, worker_id, worker)
    SELECT :fence, id, owner_id, attempt, :worker, (SELECT name FROM workers WHERE id = :worker)
    FROM claimed
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.started', jsonb_build_object('attempt', attempt) FROM claimed
)
SELECT claimed.*, job_payloads.input, job_checkpoints.state AS checkpoint, EXISTS (
    SELECT FROM webhook_endpoints e WHERE e.owner_id = claimed.owner_id AND e.enabled) AS watched
FROM claimed JOIN job_payloads ON job_payloads.job_id = claimed.id
LEFT JOIN job_checkpoints ON job_checkpoints.job_id = claimed.id
""")  # noqa: S608


def claim(
    job_id: UUID, attempt: int, *, worker_id: UUID, pid: int, lease_s: float
) -> Steps[Claimed | None]:
    """Take a queued job as role `engine`: a compare-and-set on status and attempt.

    Args:
        attempt: claims so far, as the message says; a message of an earlier attempt
            finds another number and does nothing.
        worker_id: the living incarnation that will run it. One that has been declared
            dead (its successor started) can claim nothing.

    Returns:
        The claim, or None where the job is not there to take.
    """
    fence = uuid4()
    row = (
        yield bind(
            _CLAIM,
            id=job_id,
            attempt=attempt,
            fence=fence,
            worker=worker_id,
            pid=pid,
            lease_s=lease_s,
        )
    ).first()
    if row is None:
        return None
    return Claimed(
        job_id=job_id,
        owner_id=row.owner_id,
        kind=row.kind,
        fence=fence,
        attempt=row.attempt,
        errors=row.errors,
        crashes=row.crashes,
        max_attempts=row.max_attempts,
        deadline_at=row.deadline_at,
        trace=row.trace,
        input=row.input,
        watched=row.watched,
        checkpoint=row.checkpoint,
        parent_id=row.parent_id,
        depth=row.depth,
    )

"""Ending an attempt under its fence: succeeded, failed, tried again, cancelled, given back."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from models.job import Status
from services.jobs.claim import Claimed

#: Attempts that may lose their worker before the job is given up.
MAX_CRASHES = 3
#: Longest delay between attempts. Seconds.
RETRY_CAP_S = 300.0

# A job that succeeds although a newer one has taken its place is cancelled: its result is none.
_SETTLE = text("""
WITH mine AS (
    UPDATE job_runs SET fence = NULL, lease_until = NULL
    WHERE job_id = :id AND fence = :fence AND lease_until IS NOT NULL RETURNING job_id
), job AS (
    UPDATE jobs SET seq = seq + 1, finished_at = now(),
        status = CASE WHEN superseded_by IS NOT NULL AND CAST(:status AS text) = 'succeeded'
            THEN 'cancelled' ELSE CAST(:status AS text) END,
        expires_at = now() + make_interval(secs => :keep_s)
    WHERE id = (SELECT job_id FROM mine) AND status = 'running'
    RETURNING id, owner_id, seq, superseded_by, status
), payload AS (
    UPDATE job_payloads SET error = CAST(:error AS jsonb),
        result = CASE WHEN job.status = CAST(:status AS text) THEN CAST(:result AS jsonb) END,
        result_size = CASE WHEN job.status = CAST(:status AS text)
            THEN CAST(:result_size AS integer) END
    FROM job WHERE job_id = job.id
), history AS (
    UPDATE job_attempts SET ended_at = now(), outcome = job.status, error = CAST(:error AS jsonb)
    FROM job WHERE fence = :fence
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.' || status, CASE WHEN superseded_by IS NULL THEN '{}' ELSE
        jsonb_build_object('superseded_by', superseded_by) END
    FROM job
)
SELECT status FROM job
""")


def settle(
    job_id: UUID,
    fence: UUID,
    status: Status,
    *,
    keep_days: float,
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> Steps[bool]:
    """End a running job. The terminal event and whatever the transaction holds commit with it.

    Returns:
        False where the fence is no longer ours: nothing was written.
    """
    return (yield from _end(job_id, fence, status, keep_days, result, error)) is not None


def succeed(
    job_id: UUID, fence: UUID, result: dict[str, Any], *, keep_days: float
) -> Steps[Status | None]:
    """End a running job with its result, likewise.

    Returns:
        `CANCELLED` where a newer job has taken its place, None where the fence is not ours.
    """
    return (yield from _end(job_id, fence, Status.SUCCEEDED, keep_days, result, None))


def _end(
    job_id: UUID,
    fence: UUID,
    status: Status,
    keep_days: float,
    result: dict[str, Any] | None,
    error: dict[str, Any] | None,
) -> Steps[Status | None]:
    body = None if result is None else json.dumps(result, separators=(",", ":"))
    bound = bind(
        _SETTLE,
        id=job_id,
        fence=fence,
        status=status.value,
        keep_s=keep_days * 86400,
        result=body,
        result_size=None if body is None else len(body.encode()),
        error=None if error is None else json.dumps(error),
    )
    row = (yield bound).first()
    return None if row is None else Status(row.status)


_AGAIN = text("""
WITH mine AS (
    UPDATE job_runs SET fence = NULL, lease_until = NULL
    WHERE job_id = :id AND fence = :fence AND lease_until IS NOT NULL RETURNING job_id
), job AS (
    UPDATE jobs SET status = 'queued', seq = seq + 1, errors = errors + 1, admitted_at = NULL,
        admissions = 0, ready_at = now() + make_interval(secs => :delay_s)
    WHERE id = (SELECT job_id FROM mine) AND status = 'running'
    RETURNING id, owner_id, seq, attempt, ready_at
), history AS (
    UPDATE job_attempts SET ended_at = now(), outcome = 'retried', error = CAST(:error AS jsonb)
    WHERE fence = :fence AND EXISTS (SELECT FROM job)
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.retrying', jsonb_build_object('attempt', attempt,
        'next_attempt_at', to_char(ready_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'error', CAST(:error AS jsonb))
    FROM job
)
SELECT seq FROM job
""")


def try_again(job_id: UUID, fence: UUID, error: dict[str, Any], delay_s: float) -> Steps[bool]:
    """Put a job back in the queue after an error that another attempt may not meet."""
    bound = bind(_AGAIN, id=job_id, fence=fence, error=json.dumps(error), delay_s=delay_s)
    return (yield bound).first() is not None


_GIVE_BACK = text("""
WITH mine AS (
    UPDATE job_runs SET fence = NULL, lease_until = NULL
    WHERE job_id = :id AND fence = :fence AND lease_until IS NOT NULL RETURNING job_id
), job AS (
    UPDATE jobs SET status = 'queued', seq = seq + 1, attempt = attempt - 1, admitted_at = NULL,
        admissions = 0
    WHERE id = (SELECT job_id FROM mine) AND status = 'running'
    RETURNING id, owner_id, seq, lane, priority, ready_at
), history AS (
    UPDATE job_attempts SET ended_at = now(), outcome = 'given_back'
    WHERE fence = :fence AND EXISTS (SELECT FROM job)
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.queued',
           jsonb_build_object('queue_position',
               fair_rank(lane, owner_id, priority, ready_at, id, false), 'eta_s', NULL,
               'starts_in_s', NULL)
    FROM job
)
SELECT seq FROM job
""")


def give_back(job_id: UUID, fence: UUID) -> Steps[bool]:
    """Return a job to the head of the queue because its worker goes; the claim is not counted."""
    return (yield bind(_GIVE_BACK, id=job_id, fence=fence)).first() is not None


def next_delay(errors: int, max_attempts: int, base_s: float) -> float | None:
    """Seconds before the next attempt, or None when none is left.

    Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015).

    Args:
        errors: attempts that ended in an error, the present one included.
    """
    if errors >= max_attempts:
        return None
    return random.uniform(0, min(RETRY_CAP_S, base_s * 2 ** (errors - 1)))  # noqa: S311


def after_error(
    claimed: Claimed, error: dict[str, Any], *, base_s: float, keep_days: float
) -> Steps[bool]:
    """Try again where the error is retryable and attempts are left, else fail."""
    delay = next_delay(claimed.errors + 1, claimed.max_attempts, base_s)
    if error["retryable"] and delay is not None:
        return (yield from try_again(claimed.job_id, claimed.fence, error, delay))
    failed = settle(claimed.job_id, claimed.fence, Status.FAILED, error=error, keep_days=keep_days)
    return (yield from failed)

"""The lifeline: puts right in Postgres what a death, a loss or a clock has left behind."""

from __future__ import annotations

import json

from sqlalchemy import text

from core.broker import Grown
from core.database import Steps, bind
from services.jobs import counters
from services.jobs.errors import DEADLINE_EXCEEDED, WORKER_LOST
from services.jobs.settle import MAX_CRASHES

#: Rows that one statement repairs or deletes at most: short locks, and the next round goes on.
BATCH = 200

# A run is lost when its lease ended, or its worker was declared dead. The row of the run is
# locked first, as every writer of a run does; SKIP LOCKED lets several processes repair.
_RESCUE = text("""
WITH lost AS (
    SELECT r.job_id, r.fence FROM jobs j JOIN job_runs r ON r.job_id = j.id
        LEFT JOIN workers w ON w.id = r.worker_id
    WHERE j.status = 'running' AND r.lease_until IS NOT NULL
      AND (r.lease_until < now() OR w.ended_at IS NOT NULL)
    LIMIT :batch FOR UPDATE OF r SKIP LOCKED
), freed AS (
    UPDATE job_runs SET fence = NULL, lease_until = NULL FROM lost
    WHERE job_runs.job_id = lost.job_id RETURNING job_runs.job_id
), job AS (
    UPDATE jobs SET seq = seq + 1, crashes = crashes + 1, admitted_at = NULL, admissions = 0,
        status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                      WHEN crashes + 1 >= :max_crashes THEN 'failed' ELSE 'queued' END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR crashes + 1 >= :max_crashes
                           THEN now() END,
        expires_at = CASE WHEN cancel_requested_at IS NOT NULL OR crashes + 1 >= :max_crashes
                          THEN now() + make_interval(secs => :keep_s) END,
        ready_at = CASE WHEN crashes = 0 THEN ready_at ELSE now() + interval '1 second' END
    FROM freed WHERE jobs.id = freed.job_id AND jobs.status = 'running'
    RETURNING jobs.id, jobs.owner_id, jobs.seq, jobs.status, jobs.attempt, jobs.ready_at,
        jobs.superseded_by
), payload AS (
    UPDATE job_payloads SET error = CAST(:error AS jsonb) || '{"retryable": false}'
    FROM job WHERE job_payloads.job_id = job.id AND job.status = 'failed'
), history AS (
    UPDATE job_attempts SET ended_at = now(), outcome = 'lost', error = CAST(:error AS jsonb)
    FROM lost WHERE job_attempts.fence = lost.fence
), counted AS (
    INSERT INTO counters (name, value) SELECT 'leases_lost', count(*) FROM job HAVING count(*) > 0
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq,
        CASE status WHEN 'queued' THEN 'job.retrying' ELSE 'job.' || status END,
        CASE status WHEN 'queued' THEN jsonb_build_object('attempt', attempt,
            'next_attempt_at', to_char(greatest(ready_at, now()) AT TIME ZONE 'UTC',
                                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'error', CAST(:error AS jsonb))
        ELSE CASE WHEN superseded_by IS NULL THEN '{}' ELSE
            jsonb_build_object('superseded_by', superseded_by) END END
    FROM job
)
SELECT id, owner_id FROM job
""")


def rescue(*, keep_days: float) -> Steps[list[Grown]]:
    """Requeue jobs whose worker is lost, or fail them at their third crash.

    Returns:
        The jobs whose log grew.
    """
    rows = yield bind(
        _RESCUE,
        batch=BATCH,
        max_crashes=MAX_CRASHES,
        keep_s=keep_days * 86400,
        error=json.dumps(WORKER_LOST),
    )
    return [(row.id, row.owner_id) for row in rows]


# Why an unfinished job must end now, in order of precedence. A cancel that its worker has not
# obeyed within the grace ends without it: the fence is gone, whatever it still writes is refused.
_OVERDUE = text("""
WITH overdue AS (
    SELECT j.id, j.status AS was, r.fence, CASE
            WHEN j.cancel_requested_at IS NOT NULL
                 AND (j.status <> 'running'
                      OR j.cancel_requested_at < now() - make_interval(secs => :grace_s))
                 THEN 'cancelled'
            WHEN j.deadline_at <= now() THEN 'failed'
            WHEN j.status = 'queued' AND j.started_at IS NULL AND j.start_by <= now()
                 THEN 'expired' END AS becomes
    FROM jobs j LEFT JOIN job_runs r ON r.job_id = j.id
    WHERE j.finished_at IS NULL AND (j.deadline_at <= now()
        OR j.status = 'queued' AND j.started_at IS NULL AND j.start_by <= now()
        OR j.status = 'running' AND j.cancel_requested_at < now() - make_interval(secs => :grace_s)
        OR j.status IN ('queued', 'waiting') AND j.cancel_requested_at IS NOT NULL)
    LIMIT :batch
), freed AS (
    UPDATE job_runs SET fence = NULL, lease_until = NULL FROM overdue
    WHERE job_runs.job_id = overdue.id AND job_runs.fence IS NOT NULL
      AND job_runs.fence = overdue.fence RETURNING job_runs.job_id
), job AS (
    UPDATE jobs SET status = overdue.becomes, seq = seq + 1, finished_at = now(),
        expires_at = now() + make_interval(secs => :keep_s)
    FROM overdue WHERE jobs.id = overdue.id AND jobs.status = overdue.was
      AND (overdue.was <> 'running' OR jobs.id IN (SELECT job_id FROM freed))
    RETURNING jobs.id, jobs.owner_id, jobs.seq, jobs.status, jobs.superseded_by
), payload AS (
    UPDATE job_payloads SET error = CAST(:error AS jsonb)
    FROM job WHERE job_payloads.job_id = job.id AND job.status = 'failed'
), history AS (
    UPDATE job_attempts SET ended_at = now(), outcome = job.status,
        error = CASE job.status WHEN 'failed' THEN CAST(:error AS jsonb) END
    FROM job JOIN overdue ON overdue.id = job.id WHERE job_attempts.fence = overdue.fence
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.' || status, CASE WHEN superseded_by IS NULL THEN '{}' ELSE
        jsonb_build_object('superseded_by', superseded_by) END
    FROM job
)
SELECT id, owner_id FROM job
""")


def end_overdue(*, keep_days: float, cancel_grace_s: float = 5.0) -> Steps[list[Grown]]:
    """End jobs past their deadline or start-by time, and cancels that nobody obeyed.

    Returns:
        The jobs that ended.
    """
    rows = yield bind(
        _OVERDUE,
        batch=BATCH,
        grace_s=cancel_grace_s,
        keep_s=keep_days * 86400,
        error=json.dumps(DEADLINE_EXCEEDED),
    )
    return [(row.id, row.owner_id) for row in rows]


# children stay as long as the job that started them, and go with it
_PRUNE = (
    counters.COMPACT,
    text("DELETE FROM stream_tickets WHERE expires_at < now()"),
    text("DELETE FROM road_spending WHERE day < now() - interval '31 days'"),
    text("""
DELETE FROM road_cells WHERE key IN (
    SELECT key FROM road_cells WHERE expires_at < now() LIMIT :batch)
"""),
    # kept as long as jobs are by default; those of a webhook deleted at the wrong moment go at once
    text("""
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries WHERE created_at < now() - interval '30 days' LIMIT :batch)
"""),
    text("""
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries d WHERE status = 'pending' AND sent_at IS NULL
      AND NOT EXISTS (SELECT FROM webhook_endpoints e WHERE e.id = d.endpoint_id) LIMIT :batch)
"""),
    text("""
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs WHERE expires_at < now() AND parent_id IS NULL LIMIT :batch)
"""),
    text("""
DELETE FROM schedule_runs WHERE id IN (
    SELECT id FROM schedule_runs WHERE at < now() - interval '90 days' LIMIT :batch)
"""),
    text("""
DELETE FROM idempotency_keys WHERE (owner_id, key) IN (
    SELECT owner_id, key FROM idempotency_keys WHERE expires_at < now() LIMIT :batch)
"""),
    text("""
DELETE FROM workers WHERE beat_at < now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM job_runs WHERE worker_id = workers.id AND lease_until IS NOT NULL)
"""),
)


def prune() -> Steps[int]:
    """Delete what has outlived its keeping, a batch of each sort.

    Returns:
        Rows deleted; zero says that nothing is left to prune.
    """
    deleted = 0
    for statement in _PRUNE:
        bound = bind(statement, batch=BATCH) if ":batch" in statement.text else statement
        deleted += (yield bound).rowcount  # type: ignore[attr-defined]
    return deleted

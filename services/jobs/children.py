"""Parents and children: to wait without a worker, what came of it, and the lifeline of families."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.broker import Grown
from core.children import MAX_CHILDREN, MAX_DEPTH, Child
from core.database import Steps, bind
from core.ids import new_id
from core.kind import JobFailed
from services.jobs.claim import Claimed
from services.jobs.running import hold

#: Families that one round mends at most.
BATCH = 200


class MayNotWait(Exception):
    """The job is no longer this attempt's, or it was cancelled meanwhile; nothing was written."""


# Children count for their owner, as their next request sees; they are not refused themselves,
# for the job that needs them was accepted. `MAX_CHILDREN` bounds them.
_START = text("""
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset(CAST(:children AS jsonb)) AS c (id uuid, key text, kind text,
        lane text, max_attempts integer, tags text[], input jsonb, input_size integer)
), job AS (
    INSERT INTO jobs (id, owner_id, kind, lane, status, seq, max_attempts, tags, trace, priority,
                      parent_id, child_key, depth)
    SELECT w.id, p.owner_id, w.kind, w.lane, 'queued', 1, w.max_attempts,
           p.tags || ARRAY(SELECT unnest(w.tags) EXCEPT SELECT unnest(p.tags)), p.trace,
           p.priority, p.id, w.key, p.depth + 1
    FROM wanted w CROSS JOIN jobs p WHERE p.id = :id AND p.owner_id = :owner
    ON CONFLICT (parent_id, child_key) WHERE parent_id IS NOT NULL DO NOTHING
    RETURNING id, owner_id
), payload AS (
    INSERT INTO job_payloads (job_id, owner_id, input, input_size)
    SELECT job.id, job.owner_id, w.input, w.input_size FROM job JOIN wanted w ON w.id = job.id
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, 1, 'job.queued', '{"queue_position": null, "eta_s": null}' FROM job
)
SELECT id FROM job
""")

_COUNT = text("SELECT count(*) FROM jobs WHERE parent_id = :id AND owner_id = :owner")

_WAIT = text("""
WITH job AS (
    UPDATE jobs SET status = 'waiting', awaits = :awaits, seq = seq + 1,
        children_total = :total, admitted_at = NULL, admissions = 0
    WHERE id = :id AND owner_id = :owner AND status = 'running' AND cancel_requested_at IS NULL
    RETURNING id, owner_id, seq, children_total, children_finished, children_failed
), shown AS (
    SELECT *, jsonb_build_object('fraction', round(children_finished::numeric / children_total, 4),
        'stage', 'children', 'message', children_finished || ' of ' || children_total
        || ' children have ended', 'data', jsonb_build_object('children', jsonb_build_object(
            'total', children_total, 'finished', children_finished,
            'failed', children_failed))) AS progress
    FROM job
), run AS (
    UPDATE job_runs SET fence = NULL, lease_until = NULL, progress = shown.progress
    FROM shown WHERE job_runs.job_id = shown.id
), history AS (
    UPDATE job_attempts SET ended_at = now(), outcome = 'waiting'
    WHERE fence = :fence AND EXISTS (SELECT FROM job)
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.progress', jsonb_build_object('progress', progress) FROM shown
)
SELECT seq FROM job
""")


def wait_for(claimed: Claimed, children: Sequence[Child], *, fail_fast: bool) -> Steps[list[UUID]]:
    """Start the children that are not there yet and let the job wait for all of its children.

    Under the fence, as role `app` for the owner, in one transaction: the job holds no worker
    from then on, and the end of the last child puts it back in the queue.

    Args:
        fail_fast: the first child that does not succeed has the others cancelled.

    Returns:
        The children that were started.

    Raises:
        MayNotWait: the caller rolls back.
        JobFailed: too many children, or too deep.
    """
    if not (yield from hold(claimed.job_id, claimed.fence)):
        raise MayNotWait
    me = {"id": claimed.job_id, "owner": claimed.owner_id}
    if claimed.depth >= MAX_DEPTH:
        raise JobFailed("CHILDREN_TOO_DEEP", f"Jobs may start jobs {MAX_DEPTH} deep at most.")
    rows = json.dumps([_row(child) for child in children], separators=(",", ":"))
    started = (yield bind(_START, children=rows, **me)).scalars().all()
    total = (yield bind(_COUNT, **me)).scalar_one()
    if total > MAX_CHILDREN:
        raise JobFailed("TOO_MANY_CHILDREN", f"A job may start {MAX_CHILDREN} jobs at most.")
    awaits = "fail_fast" if fail_fast else "collect"
    moved = yield bind(_WAIT, awaits=awaits, total=total, fence=claimed.fence, **me)
    if moved.first() is None:
        raise MayNotWait
    return list(started)


def _row(child: Child) -> dict[str, Any]:
    body = child.request.model_dump(mode="json")
    return {
        "id": str(new_id()),
        "key": child.key,
        "kind": child.kind.name,
        "lane": child.kind.lane.value,
        "max_attempts": child.kind.max_attempts,
        "tags": child.tags,
        "input": body,
        "input_size": len(json.dumps(body, separators=(",", ":")).encode()),
    }


@dataclass(frozen=True)
class EndedChild:
    """A child that has ended, as its parent reads it."""

    key: str
    job_id: UUID
    status: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None


_ENDED = text("""
SELECT j.child_key AS key, j.id AS job_id, j.status, p.result, p.error
FROM jobs j JOIN job_payloads p ON p.job_id = j.id
WHERE j.parent_id = :id AND j.owner_id = :owner AND j.finished_at IS NOT NULL
  AND j.child_key = ANY(:keys)
""")


def ended(owner_id: UUID, job_id: UUID, keys: Sequence[str]) -> Steps[dict[str, EndedChild]]:
    """Those of a job's children that have ended, by key, as role `engine`."""
    rows = (yield bind(_ENDED, id=job_id, owner=owner_id, keys=list(keys))).all()
    return {row.key: EndedChild(**row._mapping) for row in rows}


# Children first, oldest first: a child's end locks itself and then its parent, and whoever
# took the parent first would have to pass over the children that are ending.
_LOCK_BELOW = text("""
WITH RECURSIVE below AS (
    SELECT id, depth FROM jobs
    WHERE parent_id = :id AND owner_id = :owner AND finished_at IS NULL
    UNION ALL
    SELECT j.id, j.depth FROM jobs j JOIN below ON j.parent_id = below.id
    WHERE j.finished_at IS NULL
)
SELECT id FROM jobs WHERE id IN (SELECT id FROM below) ORDER BY depth DESC, id FOR NO KEY UPDATE
""")


def lock_below(owner_id: UUID, job_id: UUID) -> Steps[list[Grown]]:
    """Hold all unfinished descendants of a job, so that they end in the transaction that ends it.

    Returns:
        Those, for their logs will grow.
    """
    found = (yield bind(_LOCK_BELOW, id=job_id, owner=owner_id)).scalars().all()
    return [(each, owner_id) for each in found]


# What is cancelled here was being written by another when its family ended.
_CANCEL_LEFT = text("""
WITH left_over AS (
    SELECT c.id, c.owner_id FROM jobs c JOIN jobs p ON p.id = c.parent_id
    WHERE c.finished_at IS NULL AND (c.cancel_requested_at IS NULL OR c.status <> 'running')
      AND (p.finished_at IS NOT NULL OR p.status = 'waiting' AND p.awaits = 'failing')
    ORDER BY c.id LIMIT :batch FOR NO KEY UPDATE OF c SKIP LOCKED
), done AS MATERIALIZED (
    SELECT cancel_children(array_agg(id), now() + make_interval(secs => :keep_s)) FROM left_over
    HAVING count(*) > 0
)
SELECT id, owner_id FROM left_over, done
""")

# The end of the last child wakes its parent in the same transaction, so this finds nothing.
_WAKE_LEFT = text("""
WITH lost AS (
    SELECT id FROM jobs p WHERE status = 'waiting' AND awaits IS NOT NULL
      AND NOT EXISTS (SELECT FROM jobs c WHERE c.parent_id = p.id AND c.finished_at IS NULL)
    LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
), job AS (
    UPDATE jobs SET status = 'queued', awaits = NULL, seq = seq + 1
    FROM lost WHERE jobs.id = lost.id AND jobs.status = 'waiting'
    RETURNING jobs.id, jobs.owner_id, jobs.seq
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.queued', '{"queue_position": null, "eta_s": null}' FROM job
)
SELECT id, owner_id FROM job
""")


@dataclass(frozen=True)
class Mended:
    """Jobs whose logs grew: children cancelled, and parents woken that nobody had."""

    cancelled: list[Grown]
    woken: list[Grown]


def mend(*, keep_days: float) -> Steps[Mended]:
    """Put right what is left of families, as role `engine`."""
    bound = bind(_CANCEL_LEFT, batch=BATCH, keep_s=keep_days * 86400)
    cancelled = [(row.id, row.owner_id) for row in (yield bound).all()]
    woken = [(row.id, row.owner_id) for row in (yield bind(_WAKE_LEFT, batch=BATCH)).all()]
    return Mended(cancelled, woken)

"""Admission: which queued jobs are entrusted to the broker, and when that must be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.kind import Lane

#: A lane's broker queue holds at most so many messages per slot, so that the order of
#: admission stays the order of work.
DEPTH_PER_SLOT = 2
#: Where no worker of a lane lives yet, so many messages wait for the first.
DEPTH_UNSERVED = 4
#: A worker whose last beat is older is not counted as a server of its lane. Seconds.
BEAT_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Message:
    """What goes to the broker: nothing personal, for Flower shows it."""

    job_id: UUID
    kind: str
    lane: str
    #: Claims so far; the claim succeeds only while this is still true.
    attempt: int
    trace: str | None


# First come, first served. SKIP LOCKED: several processes admit at once and never wait.
_ADMIT = text("""
WITH next AS (
    SELECT id FROM jobs
    WHERE lane = :lane AND status = 'queued' AND admitted_at IS NULL AND ready_at <= now()
    ORDER BY ready_at, id LIMIT lane_room(:lane, :per_slot, :unserved, :beat_s)
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET admitted_at = now(), admissions = admissions + 1
FROM next WHERE jobs.id = next.id
RETURNING jobs.id, jobs.kind, jobs.lane, jobs.attempt, jobs.trace, jobs.ready_at
""")

#: For `_ADMIT` and for the submit, which admits its own job where nothing stands before it.
ROOM = {"per_slot": DEPTH_PER_SLOT, "unserved": DEPTH_UNSERVED, "beat_s": BEAT_TIMEOUT_S}


def admit(lane: Lane, room: int = DEPTH_PER_SLOT) -> Steps[list[Message]]:
    """Pick what the broker should hold next, as role `engine`; the caller commits, then sends.

    Args:
        room: messages per slot that the lane's queue may hold.
    """
    bound = bind(_ADMIT, lane=lane.value, **ROOM | {"per_slot": room})
    rows = sorted((yield bound).all(), key=lambda row: (row.ready_at, row.id))
    return [Message(row.id, row.kind, row.lane, row.attempt, row.trace) for row in rows]


# A message that was never sent does not count as a repeat: patience is for lost ones.
_UNADMIT = text("""
UPDATE jobs SET admitted_at = NULL, admissions = greatest(0, admissions - 1)
WHERE id = ANY(:ids) AND status = 'queued'
""")


def unadmit(job_ids: list[UUID]) -> Steps[None]:
    """Take back the admission of jobs whose message could not be sent."""
    yield bind(_UNADMIT, ids=job_ids)


# A message is lost when its lane has an idle slot and yet nobody claims the job. With all
# slots busy it may just wait its turn. The wait doubles with every repeat: workers that live
# but do not consume must not make the queue grow without bound.
_READMIT = text("""
WITH lanes AS (
    SELECT w.lane, sum(w.slots) > (
        SELECT count(*) FROM jobs j WHERE j.lane = w.lane AND j.status = 'running') AS idle
    FROM workers w
    WHERE w.ended_at IS NULL AND w.beat_at > now() - make_interval(secs => :beat_s)
    GROUP BY w.lane
), lost AS (
    SELECT j.id FROM jobs j LEFT JOIN lanes ON lanes.lane = j.lane
    WHERE j.status = 'queued' AND j.admitted_at IS NOT NULL
      AND j.admitted_at < now() - make_interval(secs => CASE WHEN lanes.idle THEN :idle_s
            ELSE :busy_s END * power(2, least(j.admissions, 6) - 1))
    ORDER BY j.ready_at, j.id LIMIT 1000 FOR UPDATE OF j SKIP LOCKED
)
UPDATE jobs SET admitted_at = NULL FROM lost WHERE jobs.id = lost.id RETURNING jobs.id
""")


def readmit(*, idle_s: float = 3.0, busy_s: float = 60.0) -> Steps[int]:
    """Let go of admissions whose message must be lost, so that `admit` sends them again.

    Args:
        idle_s: patience while the lane has an idle slot. Seconds.
        busy_s: patience while all its slots are busy, or none exists. Seconds.
    """
    bound = bind(_READMIT, idle_s=idle_s, busy_s=busy_s, beat_s=BEAT_TIMEOUT_S)
    return len((yield bound).all())

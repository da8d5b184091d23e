"""Admission: which queued jobs are entrusted to the broker, and when that must be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.kind import Lane
from core.settings import Settings

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


@dataclass(frozen=True)
class Caps:
    """How many jobs may be under way at once: with the broker, or running.

    Attributes:
        per_user: of one user in one lane.
        per_kind: of one kind in all, by name; kinds that are not named have no cap.
    """

    per_user: int = 2**31 - 1
    per_kind: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Caps:
        return cls(settings.max_running_jobs, settings.max_running_by_kind)


NO_CAPS = Caps()

# Turn by turn: the n-th waiting job of a user who has b under way has turn b + n, so that a
# thousand jobs of one user stand behind the first of any other. The users who wait are found
# by steps along an index, and of each only as many jobs are looked at as there is room: those
# that yield to nobody, in the order of the index, and where they are too few those that do.
_ADMIT = text("""
WITH RECURSIVE space AS MATERIALIZED (
    SELECT CASE WHEN room >= least AND NOT EXISTS (
        SELECT FROM pauses WHERE scope = 'lane' AND name = :lane) THEN room ELSE 0 END AS n
    FROM (SELECT lane_room(:lane, :per_slot, :unserved, :beat_s) AS room,
                 CASE WHEN :in_bulk THEN (
                     SELECT coalesce(sum(slots), 0) / 2 FROM workers
                     WHERE lane = :lane AND ended_at IS NULL AND draining_at IS NULL
                       AND beat_at > now() - make_interval(secs => :beat_s)) ELSE 0 END AS least
         ) measured
), busy AS MATERIALIZED (
    SELECT owner_id, kind, count(*) AS n FROM jobs
    WHERE lane = :lane AND (status = 'running' OR status = 'queued' AND admitted_at IS NOT NULL)
    GROUP BY owner_id, kind
), caps AS MATERIALIZED (
    SELECT kind, cap - coalesce((SELECT sum(n) FROM busy WHERE busy.kind = c.kind), 0) AS spare
    FROM unnest(CAST(:kinds AS text[]), CAST(:kind_caps AS integer[])) AS c (kind, cap)
    -- a paused kind is one that may not run at all
    UNION ALL SELECT name, 0 FROM pauses WHERE scope = 'kind'
), owners AS (
    (SELECT owner_id FROM jobs
     WHERE lane = :lane AND status = 'queued' AND admitted_at IS NULL AND (SELECT n FROM space) > 0
     ORDER BY owner_id LIMIT 1)
    UNION ALL
    SELECT (SELECT owner_id FROM jobs
            WHERE lane = :lane AND status = 'queued' AND admitted_at IS NULL
              AND owner_id > owners.owner_id ORDER BY owner_id LIMIT 1)
    FROM owners WHERE owners.owner_id IS NOT NULL
), turns AS (
    SELECT head.*, head.nth + coalesce(
        (SELECT sum(n) FROM busy WHERE busy.owner_id = owners.owner_id), 0) AS turn
    FROM owners CROSS JOIN LATERAL (
        WITH first AS MATERIALIZED (
            SELECT id, kind, ready_at FROM jobs
            WHERE lane = :lane AND status = 'queued' AND admitted_at IS NULL
              AND ready_at <= now() AND owner_id = owners.owner_id
              AND NOT job_yields(priority, ready_at)
              AND NOT EXISTS (SELECT FROM caps WHERE caps.kind = jobs.kind AND spare <= 0)
            ORDER BY ready_at, id LIMIT (SELECT n FROM space)
        ), last AS (
            SELECT id, kind, ready_at FROM jobs
            WHERE lane = :lane AND status = 'queued' AND admitted_at IS NULL
              AND ready_at <= now() AND owner_id = owners.owner_id
              AND job_yields(priority, ready_at)
              AND NOT EXISTS (SELECT FROM caps WHERE caps.kind = jobs.kind AND spare <= 0)
            ORDER BY ready_at, id LIMIT (SELECT n FROM space) - (SELECT count(*) FROM first)
        )
        SELECT *, row_number() OVER (ORDER BY yields, ready_at, id) AS nth FROM (
            SELECT *, false AS yields FROM first UNION ALL SELECT *, true FROM last) own
        ) head
), picked AS (
    SELECT id, kind, row_number() OVER (PARTITION BY kind ORDER BY yields, turn, ready_at, id)
            AS nth_of_kind,
        row_number() OVER (ORDER BY yields, turn, ready_at, id) AS place
    FROM turns WHERE turn <= :per_user
), next AS (
    SELECT jobs.id, first.place FROM (
        SELECT id, place FROM picked WHERE NOT EXISTS (
            SELECT FROM caps WHERE caps.kind = picked.kind AND nth_of_kind > spare)
        ORDER BY place LIMIT (SELECT n FROM space)) first
    JOIN jobs ON jobs.id = first.id
    WHERE jobs.status = 'queued' AND jobs.admitted_at IS NULL
    FOR UPDATE OF jobs SKIP LOCKED
)
UPDATE jobs SET admitted_at = now(), admissions = admissions + 1
FROM next WHERE jobs.id = next.id
RETURNING jobs.id, jobs.kind, jobs.lane, jobs.attempt, jobs.trace, next.place
""")

#: For `_ADMIT` and for the submit, which admits its own job where nothing stands before it.
ROOM = {"per_slot": DEPTH_PER_SLOT, "unserved": DEPTH_UNSERVED, "beat_s": BEAT_TIMEOUT_S}


def admit(
    lane: Lane, room: int = DEPTH_PER_SLOT, caps: Caps = NO_CAPS, *, in_bulk: bool = False
) -> Steps[list[Message]]:
    """Pick what the broker should hold next, as role `engine`; the caller commits, then sends.

    Several processes may admit at once and never wait for each other; a cap may then be passed
    by as many jobs as they pick at one moment.

    Args:
        room: messages per slot that the lane's queue may hold.
        in_bulk: only where there is room for a message on every other slot: the broker then
            still holds more than there are slots, and one look does the work of several.
    """
    bound = bind(
        _ADMIT,
        lane=lane.value,
        per_user=caps.per_user,
        kinds=list(caps.per_kind),
        kind_caps=list(caps.per_kind.values()),
        in_bulk=in_bulk,
        **ROOM | {"per_slot": room},
    )
    rows = sorted((yield bound).all(), key=lambda row: row.place)
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


#: Patience with a message while its lane has an idle slot. Seconds.
IDLE_S = 3.0


def readmit(*, idle_s: float = IDLE_S, busy_s: float = 60.0) -> Steps[int]:
    """Let go of admissions whose message must be lost, so that `admit` sends them again.

    Args:
        idle_s: patience while the lane has an idle slot. Seconds.
        busy_s: patience while all its slots are busy, or none exists. Seconds.
    """
    bound = bind(_READMIT, idle_s=idle_s, busy_s=busy_s, beat_s=BEAT_TIMEOUT_S)
    return len((yield bound).all())

"""How fast the lanes work and who stands in them: what every estimate is made from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from models.job import Status
from services.jobs.forecast import (
    HANDOVER_S,
    HORIZON,
    NOTHING_KNOWN,
    Lane,
    Newcomers,
    Starts,
)
from services.jobs.pauses import paused
from services.jobs.views import PLACES, JobView, Spot

#: How long each of the newest of a kind took: enough to see their spread, few enough to follow a
#: change.
_SECONDS = text("""
SELECT k.kind, array_agg(extract(epoch FROM t.ended_at - t.started_at)::float8) AS seconds
FROM unnest(CAST(:kinds AS text[])) AS k (kind)
CROSS JOIN LATERAL (SELECT id FROM jobs WHERE kind = k.kind AND status = 'succeeded'
                    ORDER BY finished_at DESC LIMIT 60) j
JOIN job_attempts t ON t.job_id = j.id AND t.outcome = 'succeeded' GROUP BY k.kind
""")


# Of those of them that waited while another ended: the time from that end to their start.
_HANDOVER = text("""
WITH recent AS MATERIALIZED (
    SELECT newest.lane, newest.ready_at, t.started_at, t.ended_at
    FROM unnest(CAST(:kinds AS text[])) AS k (kind)
    CROSS JOIN LATERAL (SELECT id, lane, ready_at FROM jobs
                        WHERE kind = k.kind AND status = 'succeeded'
                        ORDER BY finished_at DESC LIMIT 20) newest
    JOIN job_attempts t ON t.job_id = newest.id AND t.outcome = 'succeeded'
)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY
    extract(epoch FROM next.started_at - before.ended_at)::float8)
FROM recent next CROSS JOIN LATERAL (
    SELECT max(ended_at) AS ended_at FROM recent
    WHERE recent.lane = next.lane AND recent.ended_at <= next.started_at) before
WHERE before.ended_at > next.ready_at
""")


@dataclass(frozen=True)
class Times:
    """Seconds that the newest jobs of each kind ran, and between one and the next in its slot."""

    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    handover_s: float = HANDOVER_S


def service_times(kinds: Collection[str]) -> Steps[Times]:
    """How long the newest jobs of each kind took, as role `engine`."""
    rows = (yield bind(_SECONDS, kinds=sorted(kinds))).all()
    handover_s = (yield bind(_HANDOVER, kinds=sorted(kinds))).scalar()
    return Times({row.kind: list(row.seconds) for row in rows}, handover_s or HANDOVER_S)


_SLOTS = text("""
SELECT lane, sum(slots)::int AS slots FROM workers
WHERE ended_at IS NULL AND draining_at IS NULL AND beat_at > now() - interval '30 seconds'
GROUP BY lane
""")

_RUNNING = text("""
SELECT j.lane, j.kind, extract(epoch FROM clock_timestamp() - t.started_at)::float8 AS ran_s
FROM jobs j JOIN job_runs r ON r.job_id = j.id JOIN job_attempts t ON t.fence = r.fence
JOIN workers w ON w.id = r.worker_id AND w.ended_at IS NULL AND w.draining_at IS NULL
WHERE j.status = 'running'
""")

_QUEUE = text(f"""{PLACES}
SELECT lane,
    array_agg(kind ORDER BY position) FILTER (WHERE position <= :horizon) AS kinds,
    array_agg(turn::int ORDER BY position) FILTER (WHERE position <= :horizon) AS turns,
    array_agg(id) FILTER (WHERE position <= 1000 AND id = ANY(:ids)) AS ids,
    array_agg(kind) FILTER (WHERE position <= 1000 AND id = ANY(:ids)) AS id_kinds,
    array_agg(position) FILTER (WHERE position <= 1000 AND id = ANY(:ids)) AS positions,
    array_agg({paused("places.kind", "places.lane")})
        FILTER (WHERE position <= 1000 AND id = ANY(:ids)) AS paused
FROM places GROUP BY lane
""")  # noqa: S608  # constants

# Ids of jobs begin with the time, so the newest are found from the end of the primary key. What
# came more than a minute ago says nothing of who comes next. Of the jobs that one user sent in
# one second each has a later turn: whoever sends many at once passes few.
_NEWCOMERS = text("""
WITH newest AS MATERIALIZED (
    SELECT lane, kind, owner_id, created_at FROM jobs ORDER BY id DESC LIMIT 5000
), span AS (
    SELECT greatest(1, least(60, extract(epoch FROM clock_timestamp() - min(created_at))))::float8
        AS over_s FROM newest
), came AS (
    SELECT lane, kind, owner_id, over_s, row_number() OVER (
        PARTITION BY lane, owner_id, date_trunc('second', created_at) ORDER BY created_at) AS nth
    FROM newest, span
    WHERE created_at > clock_timestamp() - make_interval(secs => over_s)
), unfinished AS (
    SELECT lane, owner_id, count(*) AS n FROM jobs WHERE finished_at IS NULL
    GROUP BY lane, owner_id
)
SELECT lane, kind, (coalesce(unfinished.n, 0) + nth)::int AS turn, count(*)::int AS arrivals,
    max(over_s) AS over_s
FROM came LEFT JOIN unfinished USING (lane, owner_id) GROUP BY lane, kind, turn
""")


@dataclass(frozen=True)
class StartsIn:
    """Seconds until a job starts: as likely as not by `p50`, nine times in ten by `p90`."""

    p50: int
    p90: int


@dataclass(frozen=True)
class Pace:
    """What is known of the lanes at one moment.

    Attributes:
        seconds: that a job takes, by kind.
        starts: forecasts by lane.
        since: jobs that this process has submitted since then, by lane. Where slots stood empty,
            they have taken them, though no queue shows it.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    starts: Mapping[str, Starts] = field(default_factory=dict)
    since: Counter[str] = field(default_factory=Counter)

    def unseen(self, lane: str) -> int:
        """The position before which no job of the lane stands any more."""
        return self.since[lane] + 1 if self.of(lane).free else 1

    def of(self, lane: str) -> Starts:
        return self.starts.get(lane, NOTHING_KNOWN)

    def starts_in(
        self, lane: str, position: int | None, ready_in_s: float = 0.0
    ) -> StartsIn | None:
        """When a queued job starts, or None where nothing is known."""
        if not position:
            return None
        found = self.of(lane).at(max(position, self.unseen(lane)))
        if found is None:
            return None
        return StartsIn(*(max(value, math.ceil(ready_in_s)) for value in found))

    def starts_in_of(self, job: JobView) -> StartsIn | None:
        """When the job starts; None once it has, and where nobody knows."""
        if job.status != Status.QUEUED or job.paused:
            return None
        return self.starts_in(job.lane, job.queue_position, job.ready_in_s)

    def eta_s(self, job: JobView) -> int | None:
        """Seconds until the job should have ended, or None where nothing is known."""
        usual = self.seconds.get(job.kind)
        if job.status == Status.RUNNING and job.running_s is not None:
            done = (job.progress or {}).get("fraction") or 0.0
            if done >= 0.05:
                return round(job.running_s * (1 - done) / done)
            return None if usual is None else round(max(0.0, usual - job.running_s))
        return self.ends_in_s(job.kind, self.starts_in_of(job))

    def ends_in_s(self, kind: str, starts: StartsIn | None) -> int | None:
        """Seconds until a job should have ended that starts then."""
        usual = self.seconds.get(kind)
        return None if usual is None or starts is None else round(starts.p50 + usual)


UNKNOWN_PACE = Pace()


@dataclass(frozen=True)
class Sight:
    """One look at all lanes, and where those jobs stand that were asked for."""

    lanes: dict[str, Lane]
    spots: list[Spot]

    def pace(self, times: Times) -> Pace:
        """Play all lanes forward. Pure, and a few milliseconds for each."""
        # numpy comes with it: loaded by the first look, and not by all who know a `Pace`
        from services.jobs.futures import forecast

        seconds = times.seconds
        return Pace(
            {kind: sum(values) / len(values) for kind, values in seconds.items() if values},
            {name: forecast(lane, seconds, times.handover_s) for name, lane in self.lanes.items()},
        )


def look(job_ids: Collection[UUID] = ()) -> Steps[Sight]:
    """See who works, runs, waits and comes, as role `engine`: one scan of each, whoever asks.

    Args:
        job_ids: whose spots are wanted.
    """
    slots = {row.lane: row.slots for row in (yield _SLOTS).all()}
    running: dict[str, list[tuple[str, float]]] = {}
    for row in (yield _RUNNING).all():
        running.setdefault(row.lane, []).append((row.kind, row.ran_s))
    queue = {r.lane: r for r in (yield bind(_QUEUE, horizon=HORIZON, ids=list(job_ids))).all()}
    came, over_s = dict[str, list[Newcomers]](), 60.0
    for row in (yield _NEWCOMERS).all():
        came.setdefault(row.lane, []).append(Newcomers(row.turn, row.kind, row.arrivals))
        over_s = row.over_s
    lanes = {
        name: Lane(
            slots=count,
            running=running.get(name, []),
            ahead=queue[name].kinds if name in queue else [],
            turns=queue[name].turns if name in queue else [],
            newcomers=came.get(name, []),
            over_s=over_s,
        )
        for name, count in slots.items()
    }
    spots = [
        Spot(job_id, kind, name, position, is_paused)
        for name, row in queue.items()
        for job_id, kind, position, is_paused in zip(
            row.ids or [], row.id_kinds or [], row.positions or [], row.paused or [], strict=True
        )
    ]
    return Sight(lanes, spots)


def pace(kinds: Collection[str]) -> Steps[Pace]:
    """Measure the pace of all lanes, as role `engine`."""
    times = yield from service_times(kinds)
    return (yield from look()).pace(times)

"""The figures of the job layer for operators: what waits, how long, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from core.database import Steps, bind
from core.kind import Lane
from services.jobs.admission import BEAT_TIMEOUT_S
from services.jobs.counters import NAMES
from services.jobs.pauses import paused

#: Wait and run times are those of jobs that ended within so long. Seconds.
WINDOW_S = 300.0
#: Of each kind the newest of them, no more.
NEWEST = 500
#: A message that an idle worker has not taken for so long is not being consumed. Seconds.
IDLE_BACKLOG_S = 5.0
QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Depth:
    """Unfinished jobs of one kind in one state: ready, delayed, admitted, running, waiting."""

    lane: str
    kind: str
    state: str
    jobs: int


@dataclass(frozen=True)
class LaneFigures:
    """One lane. Ages are in seconds, 0 where nothing waits."""

    lane: str
    workers: int
    slots: int
    draining: int
    running: int
    #: Of the oldest job that is due and has not begun.
    oldest_wait_s: float
    #: Of the oldest due job that was not handed to the broker and is not paused.
    outbox_age_s: float
    #: Since the oldest unclaimed message was sent.
    admitted_age_s: float
    #: Whether messages wait while slots are idle.
    idle_with_backlog: bool


@dataclass(frozen=True)
class KindFigures:
    """Recent jobs of a kind that succeeded: seconds by quantile."""

    kind: str
    jobs: int
    wait_s: dict[float, float]
    run_s: dict[float, float]


@dataclass(frozen=True)
class WebhookFigures:
    """Messages to webhooks.

    Attributes:
        due: to be sent now, those with the broker included.
        outbox_age_s: of the oldest of them, 0 where there is none.
        resting: endpoints that are left alone for a while after failures.
        disabled: endpoints that were switched off by their failures.
    """

    due: int
    outbox_age_s: float
    resting: int
    disabled: int


@dataclass(frozen=True)
class Figures:
    """One look at the job layer."""

    depths: list[Depth]
    lanes: list[LaneFigures]
    kinds: list[KindFigures]
    #: Jobs that failed within the window, by kind.
    failed: dict[str, int]
    #: By name; they only ever grow.
    counts: dict[str, int]
    #: Scope and name of what is paused.
    paused: list[tuple[str, str]]
    webhooks: WebhookFigures


# one scan of the unfinished jobs, by an index that holds nothing else
_DEPTHS = text("""
SELECT lane, kind, CASE WHEN status <> 'queued' THEN status
        WHEN admitted_at IS NOT NULL THEN 'admitted'
        WHEN ready_at <= now() THEN 'ready' ELSE 'delayed' END AS state, count(*)::int AS jobs
FROM jobs WHERE finished_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")

# A message that nobody takes is sent again and then counts as young, so the number of its
# sendings tells as well.
_LANES = text(f"""
SELECT l.lane, w.workers, w.slots, w.draining, r.running,
    greatest(0, q.oldest_wait_s) AS oldest_wait_s, greatest(0, q.outbox_age_s) AS outbox_age_s,
    greatest(0, q.admitted_age_s) AS admitted_age_s,
    coalesce(q.stuck, false) AND w.slots > r.running AS idle_with_backlog
FROM unnest(CAST(:lanes AS text[])) AS l (lane)
CROSS JOIN LATERAL (
    SELECT count(*)::int AS workers, coalesce(sum(slots) FILTER (WHERE draining_at IS NULL), 0)::int
            AS slots, count(draining_at)::int AS draining
    FROM workers WHERE lane = l.lane AND ended_at IS NULL
      AND beat_at > now() - make_interval(secs => :beat_s)) w
CROSS JOIN LATERAL (
    SELECT count(*)::int AS running FROM jobs WHERE lane = l.lane AND status = 'running') r
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM now() - min(ready_at))::float8 AS oldest_wait_s,
        extract(epoch FROM now() - min(ready_at) FILTER (WHERE admitted_at IS NULL
            AND NOT {paused("jobs.kind", "jobs.lane")}))::float8 AS outbox_age_s,
        extract(epoch FROM now() - min(admitted_at))::float8 AS admitted_age_s,
        bool_or(admitted_at IS NOT NULL AND (admissions > 1
            OR admitted_at < now() - make_interval(secs => :stuck_s))) AS stuck
    FROM jobs WHERE lane = l.lane AND status = 'queued' AND ready_at <= now()) q
""")  # noqa: S608

_KINDS = text("""
SELECT k.kind, count(*)::int AS jobs,
    percentile_cont(CAST(:quantiles AS float8[])) WITHIN GROUP (ORDER BY j.wait_s) AS wait_s,
    percentile_cont(CAST(:quantiles AS float8[])) WITHIN GROUP (ORDER BY j.run_s) AS run_s
FROM unnest(CAST(:kinds AS text[])) AS k (kind)
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM started_at - created_at)::float8 AS wait_s,
           extract(epoch FROM finished_at - started_at)::float8 AS run_s
    FROM jobs WHERE kind = k.kind AND status = 'succeeded'
      AND finished_at > now() - make_interval(secs => :window_s)
    ORDER BY finished_at DESC LIMIT :newest) j
GROUP BY k.kind
""")

_FAILED = text("""
SELECT kind, count(*)::int AS jobs FROM (
    SELECT kind FROM jobs WHERE status = 'failed'
      AND finished_at > now() - make_interval(secs => :window_s)
    ORDER BY finished_at DESC LIMIT 10000) recent
GROUP BY kind
""")

_COUNTS = text("SELECT name, sum(value)::bigint AS value FROM counters GROUP BY name")
_PAUSED = text("SELECT scope, name FROM pauses ORDER BY scope, name")

# those of a resting endpoint are not due
_WEBHOOKS = text("""
SELECT count(d.id)::int AS due,
    coalesce(extract(epoch FROM now() - min(d.due_at)), 0)::float8 AS outbox_age_s,
    (SELECT count(*) FROM webhook_endpoints WHERE enabled AND rest_until > now())::int AS resting,
    (SELECT count(*) FROM webhook_endpoints WHERE disabled_reason IS NOT NULL)::int AS disabled
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
WHERE d.status = 'pending' AND d.due_at <= now() AND e.enabled
  AND (e.rest_until IS NULL OR e.rest_until <= now())
""")


def read_figures(kinds: Sequence[str]) -> Steps[Figures]:
    """All figures, as role `engine`.

    Args:
        kinds: whose recent times are wanted.
    """
    depths = [Depth(**row._mapping) for row in (yield _DEPTHS).all()]
    lanes = bind(
        _LANES, lanes=[lane.value for lane in Lane], beat_s=BEAT_TIMEOUT_S, stuck_s=IDLE_BACKLOG_S
    )
    found = [LaneFigures(**row._mapping) for row in (yield lanes).all()]
    recent = bind(
        _KINDS, kinds=list(kinds), quantiles=list(QUANTILES), window_s=WINDOW_S, newest=NEWEST
    )
    times = [
        KindFigures(
            row.kind,
            row.jobs,
            dict(zip(QUANTILES, row.wait_s, strict=True)),
            dict(zip(QUANTILES, row.run_s, strict=True)),
        )
        for row in (yield recent).all()
    ]
    failed = {row.kind: row.jobs for row in (yield bind(_FAILED, window_s=WINDOW_S)).all()}
    counted = {row.name: row.value for row in (yield _COUNTS).all()}
    paused = [(row.scope, row.name) for row in (yield _PAUSED).all()]
    counts = dict.fromkeys(NAMES, 0) | counted
    webhooks = WebhookFigures(**(yield _WEBHOOKS).one()._mapping)
    return Figures(depths, found, times, failed, counts, paused, webhooks)

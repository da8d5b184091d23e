"""Why a job waits: what stands before it now, told in codes, and of others in numbers alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from models.job import Status
from services.jobs.admission import IDLE_S, NO_CAPS, ROOM, Caps
from services.jobs.errors import JobNotFound
from services.jobs.pauses import paused

#: What nothing stands before is admitted by the submit, or by housekeeping a second later; one
#: that still is not has a broker that takes nothing.
PATIENCE = timedelta(seconds=IDLE_S)


class ReasonCode(StrEnum):
    """What a job may wait for. Clients rely on these."""

    RETRYING = "RETRYING"  # an attempt has ended without an end of the job
    BACK_OFF = "BACK_OFF"  # the next attempt may not start yet
    OWN_CAP = "OWN_CAP"  # the owner has as much under way as one user may
    KIND_CAP = "KIND_CAP"  # all users together have as much of the kind under way as may be
    PAUSED = "PAUSED"  # operators have paused its kind or its lane
    QUEUE = "QUEUE"  # others of the owner, or of other users, have their turn first
    YIELDS = "YIELDS"  # a batch job lets interactive ones go first, for a minute
    LANE_FULL = "LANE_FULL"  # the broker holds as much as the lane's workers need
    NO_WORKER = "NO_WORKER"  # no worker serves its lane
    ADMISSION = "ADMISSION"  # it is about to be handed to the broker
    ADMITTED = "ADMITTED"  # the broker has it; a worker has to take it
    SLOTS_BUSY = "SLOTS_BUSY"  # all workers of the lane are at work
    BROKER_BEHIND = (
        "BROKER_BEHIND"  # a worker is idle, and the broker does not bring the two together
    )
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    FINISH_REQUESTED = "FINISH_REQUESTED"
    WORKER_SILENT = "WORKER_SILENT"  # the lease of the attempt has ended; it will be rescued
    WAITING = "WAITING"  # for jobs that it has started, or for a person
    START_BY = "START_BY"  # it expires unless it has started by then
    DEADLINE = "DEADLINE"  # it fails unless it has ended by then


@dataclass(frozen=True)
class Reason:
    """One thing that a job waits for.

    Attributes:
        until: when it is over, where that is known.
        counts: how many, by what.
        error: the error body of the attempt before.
    """

    code: ReasonCode
    detail: str
    until: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Explanation:
    """Where a job stands and why.

    Attributes:
        waits_for: nothing, where it runs or has ended.
        bounds: what ends it whatever it waits for.
    """

    status: Status
    attempt: int
    queue_position: int | None
    admitted_at: datetime | None
    waits_for: list[Reason]
    bounds: list[Reason]


@dataclass(frozen=True)
class Facts:
    """What Postgres says of a job, of its owner's others, and of its lane.

    Attributes:
        now: the time of Postgres.
        own_ahead: of the owner's jobs, those whose turn in the lane comes first.
        own_under_way: of the owner's jobs in the lane, those that run or are with the broker.
        room: messages that the broker's queue of the lane may still hold.
        workers: that serve the lane; those that drain do not.
        sent: jobs of the lane that are with the broker.
        last_outcome: how the newest attempt ended.
    """

    now: datetime
    status: Status
    kind: str
    lane: str
    attempt: int
    max_attempts: int
    created_at: datetime
    ready_at: datetime
    admitted_at: datetime | None
    admissions: int
    started_at: datetime | None
    start_by: datetime | None
    deadline_at: datetime | None
    cancel_requested_at: datetime | None
    finish_requested_at: datetime | None
    lease_over: bool
    yields: bool
    paused: bool
    queue_position: int | None
    own_ahead: int
    own_under_way: int
    room: int
    workers: int
    draining: int
    slots: int
    running: int
    sent: int
    kind_under_way: int
    last_attempt: int | None
    last_outcome: str | None
    last_error: dict[str, Any] | None


# Who stands before it is counted by the rule of `fair_rank`, which counts everybody.
_FACTS = text(f"""
SELECT now() AS now, j.status, j.kind, j.lane, j.attempt, j.max_attempts, j.created_at, j.ready_at,
    j.admitted_at, j.admissions, j.started_at, j.start_by, j.deadline_at, j.cancel_requested_at,
    j.finish_requested_at, coalesce(r.lease_until < now(), false) AS lease_over,
    job_yields(j.priority, j.ready_at) AS yields, {paused("j.kind", "j.lane")} AS paused,
    CASE WHEN j.status = 'queued' AND j.ready_at <= now() THEN fair_rank(j.lane, j.owner_id,
        j.priority, j.ready_at, j.id, j.admitted_at IS NOT NULL) END AS queue_position,
    own.ahead AS own_ahead, own.under_way AS own_under_way,
    lane_room(j.lane, :per_slot, :unserved, :beat_s) AS room, lane.*,
    t.attempt AS last_attempt, t.outcome AS last_outcome, t.error AS last_error
FROM jobs j LEFT JOIN job_runs r ON r.job_id = j.id
CROSS JOIN LATERAL lane_state(j.lane, j.kind, :beat_s) lane
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.status = 'running' OR o.admitted_at IS NOT NULL)::integer
            AS under_way,
        count(*) FILTER (WHERE o.status = 'queued' AND o.ready_at <= now() AND CASE
            WHEN j.admitted_at IS NOT NULL
                THEN o.admitted_at IS NOT NULL AND (o.ready_at, o.id) < (j.ready_at, j.id)
            WHEN o.admitted_at IS NOT NULL THEN true
            WHEN job_yields(o.priority, o.ready_at) = job_yields(j.priority, j.ready_at)
                THEN (o.ready_at, o.id) < (j.ready_at, j.id)
            ELSE job_yields(j.priority, j.ready_at) END)::integer AS ahead
    FROM jobs o
    WHERE o.owner_id = j.owner_id AND o.finished_at IS NULL AND o.lane = j.lane AND o.id <> j.id
      AND o.status IN ('queued', 'running')) own
LEFT JOIN LATERAL (
    SELECT a.attempt, a.outcome, a.error FROM job_attempts a WHERE a.job_id = j.id
    ORDER BY a.started_at DESC LIMIT 1) t ON true
WHERE j.id = :id AND j.owner_id = :owner
""")  # noqa: S608


def explain(
    owner_id: UUID, job_id: UUID, *, caps: Caps = NO_CAPS, broker_away: bool = False
) -> Steps[Explanation]:
    """Why a job of its owner is where it is.

    Args:
        caps: what may be under way at once.
        broker_away: whether the asking process could not reach the broker lately.

    Raises:
        JobNotFound
    """
    row = (yield bind(_FACTS, id=job_id, owner=owner_id, **ROOM)).first()
    if row is None:
        raise JobNotFound
    facts = Facts(**{**row._mapping, "status": Status(row.status)})
    return Explanation(
        status=facts.status,
        attempt=facts.attempt,
        queue_position=facts.queue_position,
        admitted_at=facts.admitted_at if facts.status is Status.QUEUED else None,
        waits_for=list(_reasons(facts, caps, broker_away)),
        bounds=list(_bounds(facts)),
    )


def _reasons(facts: Facts, caps: Caps, broker_away: bool) -> Iterator[Reason]:
    if facts.status is Status.RUNNING:
        yield from _of_running(facts)
    elif facts.status is Status.WAITING:
        yield Reason(ReasonCode.WAITING, "It waits for jobs that it has started, or for a person.")
    elif facts.status is Status.QUEUED:
        yield from _of_attempts(facts)
        if facts.cancel_requested_at is not None:
            yield Reason(ReasonCode.CANCEL_REQUESTED, "It is about to be cancelled.")
        elif facts.paused:
            detail = "Operators have paused its kind or its lane; it is kept until they go on."
            yield Reason(ReasonCode.PAUSED, detail)
        elif facts.ready_at > facts.now:
            detail = "The next attempt may not start before this time."
            yield Reason(ReasonCode.BACK_OFF, detail, until=facts.ready_at)
        elif facts.admitted_at is not None:
            yield from _of_admitted(facts, facts.admitted_at, broker_away)
        else:
            yield from _of_unadmitted(facts, caps, broker_away)


def _of_running(facts: Facts) -> Iterator[Reason]:
    if facts.lease_over:
        detail = "Its worker is lost; another attempt follows if any is left."
        yield Reason(ReasonCode.WORKER_SILENT, detail)
    if facts.cancel_requested_at is not None:
        yield Reason(ReasonCode.CANCEL_REQUESTED, "Its worker has been asked to stop.")
    elif facts.finish_requested_at is not None:
        yield Reason(
            ReasonCode.FINISH_REQUESTED, "Its worker has been asked for the best result so far."
        )


_ENDED = {
    "retried": "ended in an error that another attempt may not meet",
    "lost": "lost its worker",
    "given_back": "was given back by a worker that was told to go",
}


def _of_attempts(facts: Facts) -> Iterator[Reason]:
    if facts.last_outcome in _ENDED:
        detail = f"Attempt {facts.last_attempt} {_ENDED[facts.last_outcome]}."
        yield Reason(ReasonCode.RETRYING, detail, error=facts.last_error)


def _of_admitted(facts: Facts, admitted_at: datetime, broker_away: bool) -> Iterator[Reason]:
    times = f", for the {facts.admissions}th time" if facts.admissions > 1 else ""
    detail = f"It was handed to the broker at {admitted_at:%H:%M:%S} UTC{times}."
    yield Reason(ReasonCode.ADMITTED, detail, counts={"times": facts.admissions})
    if facts.workers == 0:
        yield _no_worker(facts)
    elif facts.running >= facts.slots:
        yield from _queue(facts)
        detail = "All workers of its lane are at work."
        counts = {"slots": facts.slots, "running": facts.running}
        yield Reason(ReasonCode.SLOTS_BUSY, detail, counts=counts)
    elif broker_away or facts.now - admitted_at > PATIENCE or facts.admissions > 1:
        yield _behind("A worker is idle and has not got it; it is sent again.")


def _of_unadmitted(facts: Facts, caps: Caps, broker_away: bool) -> Iterator[Reason]:
    capped = list(_caps(facts, caps))
    yield from capped
    yield from _queue(facts)
    if facts.workers == 0:
        yield _no_worker(facts)
    if facts.room <= 0:
        detail = "The broker holds as much of its lane as the workers need."
        counts = {"slots": facts.slots, "running": facts.running, "sent": facts.sent}
        yield Reason(ReasonCode.LANE_FULL, detail, counts=counts)
    elif not capped:
        waited = facts.now - max(facts.ready_at, facts.created_at)
        if broker_away or waited > PATIENCE:
            yield _behind("There is room for it, and the broker has not taken it yet.")
        elif (facts.queue_position or 2) == 1:
            detail = "Nothing stands before it: it is about to be handed to the broker."
            yield Reason(ReasonCode.ADMISSION, detail)


def _caps(facts: Facts, caps: Caps) -> Iterator[Reason]:
    if facts.own_under_way >= caps.per_user:
        detail = f"You have {facts.own_under_way} jobs under way in its lane, as many as may be."
        counts = {"under_way": facts.own_under_way, "limit": caps.per_user}
        yield Reason(ReasonCode.OWN_CAP, detail, counts=counts)
    limit = caps.per_kind.get(facts.kind)
    if limit is not None and facts.kind_under_way >= limit:
        detail = f"{facts.kind_under_way} jobs of its kind are under way, as many as may be."
        counts = {"under_way": facts.kind_under_way, "limit": limit}
        yield Reason(ReasonCode.KIND_CAP, detail, counts=counts)


def _queue(facts: Facts) -> Iterator[Reason]:
    place, own = facts.queue_position, facts.own_ahead
    if place is None:
        yield Reason(
            ReasonCode.QUEUE, "A thousand jobs or more stand before it.", counts={"own": own}
        )
    elif place > 1:
        others = max(0, place - 1 - own)
        detail = f"{own} of your jobs and {others} of other users have their turn first."
        yield Reason(ReasonCode.QUEUE, detail, counts={"own": own, "others": others})
    if facts.yields and facts.admitted_at is None and place != 1:
        detail = "A batch job lets interactive ones go first, for a minute at most."
        yield Reason(ReasonCode.YIELDS, detail, until=facts.ready_at + timedelta(minutes=1))


def _no_worker(facts: Facts) -> Reason:
    detail = "No worker serves its lane" + (
        f"; {facts.draining} are about to go." if facts.draining else "."
    )
    return Reason(ReasonCode.NO_WORKER, detail, counts={"workers": 0, "draining": facts.draining})


def _behind(detail: str) -> Reason:
    return Reason(ReasonCode.BROKER_BEHIND, detail)


def _bounds(facts: Facts) -> Iterator[Reason]:
    if facts.status is Status.QUEUED and facts.started_at is None and facts.start_by is not None:
        detail = "It expires unless it has started by then."
        yield Reason(ReasonCode.START_BY, detail, until=facts.start_by)
    unfinished = facts.status in (Status.QUEUED, Status.RUNNING, Status.WAITING)
    if unfinished and facts.deadline_at is not None:
        detail = "It fails unless it has ended by then."
        yield Reason(ReasonCode.DEADLINE, detail, until=facts.deadline_at)

"""Accepting work: the job row, its input and its first event, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Query, Steps, bind
from core.ids import new_id
from core.kind import Kind, Lane, Priority
from core.settings import Settings
from models.job import TERMINAL, Status
from services.idempotency import KEY_WAIT_S as KEY_WAIT_S
from services.idempotency import IdempotencyKey as IdempotencyKey
from services.idempotency import take_key as take_key
from services.jobs.admission import NO_CAPS, ROOM, Caps, Message
from services.jobs.errors import JobNotFinished, JobNotFound, KindGone, TooManyJobs
from services.jobs.forecast import KNOTS_TEXT
from services.jobs.pace import UNKNOWN_PACE, Pace
from services.jobs.pauses import paused
from services.jobs.supersede import Place, supersede, take_turns
from services.jobs.views import INPUT_INLINE, JobView


@dataclass(frozen=True)
class NewJob:
    """What a request asks for.

    Attributes:
        input: the validated request as JSON values.
        deadline_s: seconds from now by which the job must have ended.
        start_within_s: seconds from now by which it must have started.
        priority: None takes that of the kind.
        supersedes: a tag; the owner's unfinished jobs of the same kind with it are cancelled
            in the transaction that writes this one, which gets the tag as well.
        trace: W3C `traceparent` of the request.
    """

    kind: Kind[Any, Any]
    input: dict[str, Any]
    tags: list[str] = field(default_factory=list)
    deadline_s: float | None = None
    start_within_s: float | None = None
    priority: Priority | None = None
    supersedes: str | None = None
    retry_of: UUID | None = None
    trace: str | None = None

    def __post_init__(self) -> None:
        if self.supersedes is not None and self.supersedes not in self.tags:
            object.__setattr__(self, "tags", [*self.tags, self.supersedes])

    @property
    def place(self) -> Place | None:
        """What it takes from older jobs."""
        return None if self.supersedes is None else Place(self.kind.name, self.supersedes)


NO_LIMIT = 2**31 - 1
#: Where the caller has no setting at hand: that of `Settings.keep_jobs_days`.
KEEP_DAYS = 30.0


@dataclass(frozen=True)
class Limits:
    """What one user may have at once.

    Attributes:
        unfinished: jobs in all.
        unfinished_by_kind: jobs of a kind; one that is not named has no limit of its own.
        caps: see `Caps`.
    """

    unfinished: int = NO_LIMIT
    unfinished_by_kind: Mapping[str, int] = field(default_factory=dict)
    caps: Caps = NO_CAPS

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        caps = Caps.of(settings)
        if not settings.rate_limits:
            return cls(caps=caps)
        return cls(settings.max_unfinished_jobs, settings.max_unfinished_by_kind, caps)


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Entry:
    """On which conditions jobs are let in.

    Attributes:
        limits: what the owner may have unfinished and under way.
        pace: what is known of the lanes, for the estimate in `job.queued`.
        admit: whether the caller can send a message after its commit.
        keep_days: how long jobs are kept that end here, since another takes their place.
    """

    limits: Limits = NO_LIMITS
    pace: Pace = UNKNOWN_PACE
    admit: bool = False
    keep_days: float = KEEP_DAYS


#: Completes a job from rows of its owner, in the transaction that writes it.
Fill = Callable[[NewJob], Steps[NewJob]]


@dataclass(frozen=True)
class Submitted:
    """Which job the request led to. `replayed`: an earlier request with its key had made it."""

    job_id: UUID
    lane: Lane
    #: To be sent after the commit; None where the job waits for its admission.
    message: Message | None = None
    #: The new job; None where a replay or a retry has to read it.
    view: JobView | None = None
    replayed: bool = False
    #: Jobs that it takes the place of.
    superseded: Sequence[UUID] = ()


_PAUSED = paused(":kind", ":lane")

_SUBMIT = text(f"""
WITH job AS (
    INSERT INTO jobs (id, owner_id, kind, lane, status, seq, max_attempts, tags, retry_of, trace,
                      supersedes, priority, deadline_at, start_by, admitted_at, admissions)
    SELECT :id, :owner, :kind, :lane, 'queued', 1, :max_attempts, :tags, :retry_of, :trace,
           :supersedes, :priority, now() + make_interval(secs => :deadline_s),
           now() + make_interval(secs => :start_s),
           CASE WHEN enters THEN now() END, CAST(enters AS integer)
    FROM (SELECT :admit AND NOT {_PAUSED} AND NOT lane_waits(:lane)
                 AND lane_room(:lane, :per_slot, :unserved, :beat_s) > 0
                 AND (SELECT count(*) FROM jobs
                      WHERE owner_id = :owner AND lane = :lane AND finished_at IS NULL
                        AND (status = 'running' OR admitted_at IS NOT NULL)) < :per_user
                 AS enters) door
    WHERE (:quota = {NO_LIMIT} OR :quota > (SELECT count(*) FROM (
              SELECT FROM jobs WHERE owner_id = :owner AND finished_at IS NULL
                AND superseded_by IS NULL LIMIT :quota) unfinished))
      AND (:kind_quota = {NO_LIMIT} OR :kind_quota > (SELECT count(*) FROM (
              SELECT FROM jobs WHERE owner_id = :owner AND finished_at IS NULL
                AND superseded_by IS NULL AND kind = :kind LIMIT :kind_quota) alike))
    RETURNING id, owner_id, lane, priority, ready_at, created_at, deadline_at, start_by, admitted_at
), place AS (
    SELECT *, fair_rank(lane, owner_id, priority, ready_at, id, admitted_at IS NOT NULL)
        AS queue_position, {_PAUSED} AS paused FROM job
), payload AS (
    INSERT INTO job_payloads (job_id, owner_id, input, input_size)
    SELECT id, owner_id, CAST(:input AS jsonb), :input_size FROM job
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, 1, 'job.queued',
           jsonb_build_object('queue_position', queue_position,
               'eta_s', CASE WHEN NOT paused THEN round(p50 + CAST(:usual_s AS float8)) END,
               'starts_in_s', CASE WHEN p50 IS NOT NULL AND NOT paused
                   THEN jsonb_build_object('p50', p50, 'p90', p90) END)
    FROM (SELECT place.*, (CAST(:p50 AS integer[]))[knot] AS p50,
                 (CAST(:p90 AS integer[]))[knot] AS p90
          FROM place, LATERAL (SELECT width_bucket(greatest(queue_position, :unseen),
              CASE WHEN queue_position IS NOT NULL THEN CAST(:knots AS integer[]) END) AS knot) k
         ) forecast
)
SELECT created_at, deadline_at, start_by, queue_position, paused,
       admitted_at IS NOT NULL AS admitted
FROM place
""")  # noqa: S608


def submit(
    owner_id: UUID,
    new: NewJob,
    *,
    limits: Limits = NO_LIMITS,
    key: IdempotencyKey | None = None,
    pace: Pace = UNKNOWN_PACE,
    admit: bool = False,
    keep_days: float = KEEP_DAYS,
    fill: Fill | None = None,
) -> Steps[Submitted]:
    """Write a job, its input and `job.queued`; the caller commits, then publishes.

    Where its lane has room and nobody waits, the job is admitted in the same statement: the
    usual job of a calm system needs no second transaction before its message.

    Args:
        limits, pace, admit, keep_days: see `Entry`.
        fill: see `Fill`; a replay does without it.

    Returns:
        The job, or the one that an earlier request with the same key made.

    Raises:
        TooManyJobs: the quota is used up.
        KeyReused, KeyInFlight: see `take_key`.
    """
    job_id = new_id()
    if key is not None:
        resource = yield from take_key(owner_id, key, 202, job_id)
        if resource != job_id:
            return Submitted(resource, new.kind.lane, replayed=True)
    if new.place is not None:
        yield from take_turns(owner_id, [new.place])
    entry = Entry(limits, pace, admit, keep_days)
    return (yield from write(owner_id, job_id, new, entry, fill))


def write(
    owner_id: UUID, job_id: UUID, new: NewJob, entry: Entry, fill: Fill | None = None
) -> Steps[Submitted]:
    """Write one job. Where it has a place to take, `take_turns` was asked for it before.

    Raises:
        TooManyJobs: the quota is used up; the superseded have left theirs already.
    """
    superseded: list[UUID] = []
    if new.place is not None:
        steps = supersede(owner_id, new.place, job_id, keep_days=entry.keep_days)
        superseded = yield from steps
    if fill is not None:  # after it: what the superseded have changed until now is read
        new = yield from fill(new)
    body = json.dumps(new.input, separators=(",", ":")).encode()
    row = (yield _bound(owner_id, job_id, new, entry, body)).first()
    if row is None:
        raise TooManyJobs(retry_after_s=5)
    values = dict(row._mapping)
    kind = new.kind
    sent = Message(job_id, kind.name, kind.lane, 0, new.trace) if values.pop("admitted") else None
    view = _view_of_new(owner_id, job_id, new, len(body), values)
    return Submitted(job_id, kind.lane, sent, view, superseded=superseded)


def _bound(owner_id: UUID, job_id: UUID, new: NewJob, entry: Entry, body: bytes) -> Query:
    """`_SUBMIT` with its values."""
    limits, pace, kind = entry.limits, entry.pace, new.kind
    p50, p90 = pace.of(kind.lane).texts
    return bind(
        _SUBMIT,
        id=job_id,
        owner=owner_id,
        kind=kind.name,
        lane=kind.lane.value,
        max_attempts=kind.max_attempts,
        tags=new.tags,
        retry_of=new.retry_of,
        trace=new.trace,
        supersedes=new.supersedes,
        deadline_s=new.deadline_s,
        start_s=new.start_within_s,
        input=body.decode(),
        input_size=len(body),
        quota=limits.unfinished,
        kind_quota=limits.unfinished_by_kind.get(kind.name, NO_LIMIT),
        per_user=limits.caps.per_user,
        priority=(new.priority or kind.priority).value,
        usual_s=pace.seconds.get(kind.name),
        p50=p50,
        p90=p90,
        knots=KNOTS_TEXT,
        unseen=pace.unseen(kind.lane),
        # a cap on all users' jobs is seen by an admission only
        admit=entry.admit and kind.name not in limits.caps.per_kind,
        **ROOM,
    )


def _view_of_new(
    owner_id: UUID, job_id: UUID, new: NewJob, input_size: int, values: dict[str, Any]
) -> JobView:
    """What `views.read` would say of the job just written."""
    return JobView(
        id=job_id,
        owner_id=owner_id,
        kind=new.kind.name,
        lane=new.kind.lane.value,
        status=Status.QUEUED,
        seq=1,
        max_attempts=new.kind.max_attempts,
        tags=new.tags,
        input=new.input if input_size <= INPUT_INLINE else None,
        input_size=input_size,
        retry_of=new.retry_of,
        **values,
    )


_READ_FOR_RETRY = text("""
SELECT j.status, j.kind, j.tags, j.priority, j.supersedes, p.input
FROM jobs j JOIN job_payloads p ON p.job_id = j.id
WHERE j.id = :id AND j.owner_id = :owner
""")


def retry(
    owner_id: UUID,
    job_id: UUID,
    kinds: dict[str, Kind[Any, Any]],
    *,
    limits: Limits = NO_LIMITS,
    key: IdempotencyKey | None = None,
    pace: Pace = UNKNOWN_PACE,
    admit: bool = False,
    keep_days: float = KEEP_DAYS,
    priority: Priority | None = None,
    deadline_s: float | None = None,
    start_within_s: float | None = None,
    trace: str | None = None,
) -> Steps[Submitted]:
    """Submit the input of an ended job again, as a new job that names the old one.

    Deadline and start-by time are the new request's own; the old ones have passed. A job that
    superseded others does so again: there is still at most one unfinished.

    Raises:
        JobNotFound, JobNotFinished, TooManyJobs, KeyReused, KeyInFlight.
    """
    old = (yield bind(_READ_FOR_RETRY, id=job_id, owner=owner_id)).first()
    if old is None:
        raise JobNotFound
    if old.status not in TERMINAL:
        raise JobNotFinished
    if old.kind not in kinds:
        raise KindGone
    new = NewJob(
        kinds[old.kind],
        old.input,
        list(old.tags),
        deadline_s=deadline_s,
        start_within_s=start_within_s,
        priority=priority or Priority(old.priority),
        supersedes=old.supersedes,
        retry_of=job_id,
        trace=trace,
    )
    submitted: Submitted = yield from submit(
        owner_id, new, limits=limits, key=key, pace=pace, admit=admit, keep_days=keep_days
    )
    return submitted

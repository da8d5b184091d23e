"""Making the jobs of schedules: job, record of the period and next time, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.ids import new_id
from core.kind import Kind, Priority
from models.schedule import Outcome
from services.idempotency import IdempotencyKey
from services.jobs.errors import KindGone, TooManyJobs, job_error
from services.jobs.pace import UNKNOWN_PACE, Pace
from services.jobs.submit import NO_LIMITS, Limits, NewJob, Submitted, submit
from services.schedules import views
from services.schedules.errors import MISSED
from services.schedules.periods import Decision, decide
from services.schedules.views import ScheduleView, view_of

Kinds = Mapping[str, Kind[Any, Any]]

#: How long a period that could not be made waits for the next try.
RETRY = timedelta(seconds=30)


def tag_of(schedule_id: UUID) -> str:
    """The tag of all jobs that a schedule has made."""
    return f"schedule:{schedule_id}"


_DUE = text("""
SELECT id, owner_id FROM schedules
WHERE due_at <= coalesce(CAST(:now AS timestamptz), clock_timestamp())
ORDER BY due_at LIMIT :limit
""")


def due(limit: int, *, now: datetime | None = None) -> Steps[list[tuple[UUID, UUID]]]:
    """Schedules that are due, longest first, as role `engine`.

    Args:
        now: None takes the clock of Postgres.

    Returns:
        Owner and schedule.
    """
    rows = (yield bind(_DUE, limit=limit, now=now)).all()
    return [(row.owner_id, row.id) for row in rows]


# Whoever else looks at it now settles the period: there is nothing to wait for.
_TAKE = text("""
SELECT *, coalesce(CAST(:now AS timestamptz), clock_timestamp()) AS now FROM schedules
WHERE id = :id AND owner_id = :owner
  AND due_at <= coalesce(CAST(:now AS timestamptz), clock_timestamp())
FOR UPDATE SKIP LOCKED
""")

_RECORD = text("""
INSERT INTO schedule_runs (id, schedule_id, owner_id, period_at, through_at, outcome, job_id, error)
VALUES (:id, :schedule, :owner, :period, :through, :outcome, :job, CAST(:error AS jsonb))
""")

_ADVANCE = text("""
UPDATE schedules SET next_run_at = CAST(:next AS timestamptz),
    due_at = CAST(:due AS timestamptz), last_error = CAST(:error AS jsonb),
    last_job_id = coalesce(:job, last_job_id),
    last_run_at = coalesce(CAST(:at AS timestamptz), last_run_at)
WHERE id = :id AND owner_id = :owner
""")


@dataclass(frozen=True)
class Fired:
    """What was done about a schedule that was due.

    Attributes:
        job: what was submitted; None where the period was skipped, or could not be made yet.
        error: code of the error why it could not.
    """

    job: Submitted | None = None
    error: str | None = None


def fire(
    owner_id: UUID,
    schedule_id: UUID,
    kinds: Kinds,
    *,
    limits: Limits = NO_LIMITS,
    now: datetime | None = None,
) -> Steps[Fired | None]:
    """Settle the oldest period that is due, as role `app` for its owner; the caller commits.

    A period that cannot be made stays due and is tried again. Once the next one has come too,
    `catch_up` decides, as it does after a downtime; whatever is given up is recorded.

    Returns:
        None where it is not due any more, or another process has it.
    """
    row = (yield bind(_TAKE, id=schedule_id, owner=owner_id, now=now)).one_or_none()
    if row is None:
        return None
    schedule = view_of(row)
    assert schedule.next_run_at is not None  # whatever is due has one: a check of the table
    decision = decide(schedule.timing, schedule.policy, schedule.next_run_at, row.now)
    if decision.skipped is not None:
        yield from _record_skipped(owner_id, schedule, decision.skipped)
    if decision.make is None:
        yield from _advance(owner_id, schedule, decision.then)
        return Fired()
    return (yield from _make(owner_id, schedule, decision, kinds, limits, row.now))


def _make(
    owner_id: UUID,
    schedule: ScheduleView,
    decision: Decision,
    kinds: Kinds,
    limits: Limits,
    now: datetime,
) -> Steps[Fired]:
    assert decision.make is not None
    try:
        new = _job_of(schedule, kinds, Priority(schedule.priority), decision.make)
        job = yield from submit(owner_id, new, limits=limits)
    except (KindGone, TooManyJobs) as refused:
        error = job_error(refused.code, refused.detail, status=refused.status, retryable=True)
        again = now + RETRY
        yield from _advance(owner_id, schedule, decision.make, due_at=again, error=error)
        return Fired(error=refused.code)
    yield from _record(owner_id, schedule.id, Outcome.MADE, decision.make, job_id=job.job_id)
    yield from _advance(owner_id, schedule, decision.then, job_id=job.job_id, at=now)
    return Fired(job)


def _job_of(
    schedule: ScheduleView, kinds: Kinds, priority: Priority | None, at: datetime
) -> NewJob:
    """The job of a schedule's next run.

    Args:
        at: the period that it is made for, which says what "the previous month" is.

    Raises:
        KindGone
    """
    kind = kinds.get(schedule.kind)
    if kind is None or not kind.schedulable:
        raise KindGone
    tags = [*schedule.tags, tag_of(schedule.id)]
    content = schedule.input
    if kind.dated is not None:
        content = kind.dated(content, at, schedule.zone)
    return NewJob(kind, content, tags, priority=priority)


def _record_skipped(
    owner_id: UUID, schedule: ScheduleView, skipped: tuple[datetime, datetime]
) -> Steps[None]:
    first, last = skipped
    error = schedule.last_error or MISSED
    error = error | {"retryable": False}
    through = last if last > first else None
    yield from _record(owner_id, schedule.id, Outcome.SKIPPED, first, through=through, error=error)


def _record(
    owner_id: UUID,
    schedule_id: UUID,
    outcome: Outcome,
    period: datetime | None,
    *,
    through: datetime | None = None,
    job_id: UUID | None = None,
    error: dict[str, Any] | None = None,
) -> Steps[None]:
    yield bind(
        _RECORD,
        id=new_id(),
        schedule=schedule_id,
        owner=owner_id,
        period=period,
        through=through,
        outcome=outcome.value,
        job=job_id,
        error=None if error is None else json.dumps(error),
    )


def _advance(
    owner_id: UUID,
    schedule: ScheduleView,
    pending: datetime | None,
    *,
    due_at: datetime | None = None,
    job_id: UUID | None = None,
    at: datetime | None = None,
    error: dict[str, Any] | None = None,
) -> Steps[None]:
    yield bind(
        _ADVANCE,
        id=schedule.id,
        owner=owner_id,
        next=pending,
        due=due_at or pending,
        job=job_id,
        at=at,
        error=None if error is None else json.dumps(error),
    )


_RAN = text("""
UPDATE schedules SET last_job_id = :job, last_run_at = clock_timestamp()
WHERE id = :id AND owner_id = :owner
""")


def run_now(
    owner_id: UUID,
    schedule_id: UUID,
    kinds: Kinds,
    *,
    limits: Limits = NO_LIMITS,
    key: IdempotencyKey | None = None,
    pace: Pace = UNKNOWN_PACE,
    admit: bool = False,
    priority: Priority | None = None,
    deadline_s: float | None = None,
    start_within_s: float | None = None,
    trace: str | None = None,
) -> Steps[Submitted]:
    """Submit a schedule's request at once, whether it is enabled or not; its periods stay.

    Raises:
        ScheduleNotFound, KindGone, TooManyJobs, KeyReused, KeyInFlight.
    """
    schedule = yield from views.read(owner_id, schedule_id)
    new = replace(
        _job_of(schedule, kinds, priority, datetime.now(UTC)),
        deadline_s=deadline_s,
        start_within_s=start_within_s,
        trace=trace,
    )
    submitted = yield from submit(owner_id, new, limits=limits, key=key, pace=pace, admit=admit)
    if not submitted.replayed:
        yield from _record(owner_id, schedule_id, Outcome.MADE, None, job_id=submitted.job_id)
        yield bind(_RAN, id=schedule_id, owner=owner_id, job=submitted.job_id)
    return submitted

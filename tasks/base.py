"""`@job`: claim, work without a transaction, then keep the result and end the job in one commit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import shared_task
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from core.broker import MESSAGE_VERSION
from core.children import RunWaits
from core.database import Steps, perform, store_is_away
from core.kind import JobFailed, Kind, Lane, Run, RunStopped
from core.log import log
from core.tracing import attempt_span
from models.job import Status
from services.jobs import children, counters, running, settle
from services.jobs.claim import Claimed, claim
from services.jobs.errors import DEADLINE_EXCEEDED, TIME_LIMIT_EXCEEDED, job_error
from tasks import process
from tasks.attendant import ActiveRun, Stop, save_of
from tasks.patience import patiently

RequestT = TypeVar("RequestT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=BaseModel)

Body = Callable[[RequestT, Run], ResultT]
#: Writes what a result changes in the owner's domain, in the transaction that ends the job.
Keep = Callable[[Session, Claimed, RequestT, ResultT], ResultT]

#: How long a claim is tried while Postgres is away; housekeeping sends the message again.
CLAIM_PATIENCE_S = 10.0
#: How long the end of a run is tried; the fence makes any repeat harmless.
SETTLE_PATIENCE_S = 120.0
#: Celery's hard limit lies so far past ours, which ends the run in an orderly way. Seconds.
HARD_LIMIT_EXTRA_S = 30.0


def job(
    kind: Kind[RequestT, ResultT], keep: Keep[RequestT, ResultT] | None = None
) -> Callable[[Body[RequestT, ResultT]], Body[RequestT, ResultT]]:
    """Make a function the body of a kind of job; it stays a plain function for tests.

    Args:
        kind: whose requests it serves.
        keep: see `Keep`. Without it, the result is all that a job leaves behind.
    """

    def register(body: Body[RequestT, ResultT]) -> Body[RequestT, ResultT]:
        @shared_task(
            name=kind.name,
            soft_time_limit=int(kind.time_limit_s + HARD_LIMIT_EXTRA_S / 2),
            time_limit=int(kind.time_limit_s + HARD_LIMIT_EXTRA_S),
        )
        def message(job_id: str, attempt: int, trace: str | None = None, v: int = 1) -> str:
            if v > MESSAGE_VERSION:
                log.warning("message_left_to_a_later_release", kind=kind.name, version=v)
                return "left to a later release"
            trace_id = trace.split("-")[1] if trace else None
            with structlog.contextvars.bound_contextvars(job_id=job_id, trace_id=trace_id):
                return live(kind, body, keep, UUID(job_id), attempt)

        return body

    return register


def live(
    kind: Kind[RequestT, ResultT],
    body: Body[RequestT, ResultT],
    keep: Keep[RequestT, ResultT] | None,
    job_id: UUID,
    attempt: int,
) -> str:
    """Run one attempt from claim to end.

    Returns:
        What became of it, for the log.
    """
    here = process.current()
    claimed = patiently(CLAIM_PATIENCE_S, lambda: _claim(here, job_id, attempt))
    if claimed is None:
        return "not there to take"
    with attempt_span(claimed.trace, kind.name, claimed.attempt):
        return _attempt(here, kind, body, keep, claimed)


def _attempt(
    here: process.Process,
    kind: Kind[RequestT, ResultT],
    body: Body[RequestT, ResultT],
    keep: Keep[RequestT, ResultT] | None,
    claimed: Claimed,
) -> str:
    """Run what has been claimed; what became of it."""
    grown = [(claimed.job_id, claimed.owner_id)]
    if claimed.parent_id is not None:
        grown.append((claimed.parent_id, claimed.owner_id))
    here.publisher.jobs_changed(grown)
    if claimed.watched:
        here.publisher.deliveries_wait()
    run = here.attendant.attend(claimed, kind.time_limit_s)
    started = time.monotonic()
    try:
        settled = _settle(here, run, _work(here, kind, body, keep, run))
        if settled == "lost" and run.stop is not Stop.LOST:
            _count_refusal(here)
    finally:
        here.attendant.leave(run)
        here.publisher.jobs_changed(grown)
        # a parent that was woken may wait in another lane
        for lane in [kind.lane] if claimed.parent_id is None else Lane:
            here.publisher.room_made(lane)
        if claimed.watched:
            here.publisher.deliveries_wait()
    log.info(
        "attempt_ended",
        kind=kind.name,
        attempt=claimed.attempt,
        outcome=settled,
        duration_ms=round((time.monotonic() - started) * 1000),
    )
    return settled


def _count_refusal(here: process.Process) -> None:
    """The run came to an end that Postgres refused: the fence had held."""
    with suppress(Exception), here.engine.transaction() as session:
        perform(session, counters.count(counters.WRITES_REFUSED))


def _settle(here: process.Process, run: ActiveRun, outcome: Callable[[], str]) -> str:
    """Write how the attempt ended. What `keep` cannot write ends the job as an error of ours."""
    try:
        return patiently(SETTLE_PATIENCE_S, outcome)
    except Exception as error:
        if store_is_away(error):
            raise  # patience is over; the lease frees the job
        failed = _end_with(here, run, _describe(error))
        return patiently(SETTLE_PATIENCE_S, failed)


def _claim(here: process.Process, job_id: UUID, attempt: int) -> Claimed | None:
    with here.engine.transaction() as session:
        steps = claim(
            job_id,
            attempt,
            worker_id=here.worker_id,
            pid=os.getpid(),
            lease_s=here.settings.lease_s,
        )
        return perform(session, steps)


def _work(
    here: process.Process,
    kind: Kind[RequestT, ResultT],
    body: Body[RequestT, ResultT],
    keep: Keep[RequestT, ResultT] | None,
    run: ActiveRun,
) -> Callable[[], str]:
    """Run the body; answer with the call that ends the attempt accordingly."""
    claimed = run.claimed
    try:
        request = kind.request.model_validate(claimed.input)
    except ValidationError:
        # accepted by another release: this one no longer understands it
        unread = job_error("INPUT_NOT_UNDERSTOOD", "This release cannot read the job's input.")
        return _end_with(here, run, unread)
    try:
        result = body(request, run)
    except RunWaits as waits:
        return partial(_wait, here, run, waits)
    except RunStopped:
        return lambda: _end_stopped(here, run)
    except Exception as error:
        return _end_with(here, run, _describe(error))
    return lambda: _succeed(here, claimed, keep, request, result)


def _describe(error: Exception) -> dict[str, Any]:
    """The error body for an exception. Only what is marked retryable is tried again."""
    if isinstance(error, JobFailed):
        return job_error(
            error.code,
            error.detail,
            status=error.status,
            retryable=error.retryable,
            **error.extra,
        )
    if isinstance(error, SoftTimeLimitExceeded):
        return TIME_LIMIT_EXCEEDED
    if store_is_away(error):
        return job_error(
            "STORE_UNAVAILABLE", "A store was not reachable.", status=503, retryable=True
        )
    log.error("job_failed_by_a_bug", exc_info=error)
    return job_error("INTERNAL_ERROR", "The job failed because of an error on our side.")


def _end_with(here: process.Process, run: ActiveRun, error: dict[str, Any]) -> Callable[[], str]:
    """The call that ends the attempt with an error."""

    def steps() -> Steps[bool]:
        return settle.after_error(
            run.claimed,
            error,
            base_s=here.settings.retry_base_s,
            keep_days=here.settings.keep_jobs_days,
        )

    return lambda: _end(here, run, steps, "error")


def _succeed(
    here: process.Process,
    claimed: Claimed,
    keep: Keep[RequestT, ResultT] | None,
    request: RequestT,
    result: ResultT,
) -> str:
    """Commit result, domain rows and the terminal event together, under the fence."""
    with here.app.transaction(claimed.owner_id) as session:
        if keep is not None:
            # what it writes holds only while nobody can take the job away
            held = perform(session, running.hold(claimed.job_id, claimed.fence))
            if held is None:
                return "lost"
            if not held.superseded:
                result = keep(session, claimed, request, result)
        steps = settle.succeed(
            claimed.job_id,
            claimed.fence,
            result.model_dump(mode="json", by_alias=True),
            keep_days=here.settings.keep_jobs_days,
        )
        ended = perform(session, steps)
    if ended is None:
        return "lost"
    return "superseded" if ended is Status.CANCELLED else "succeeded"


def _wait(here: process.Process, run: ActiveRun, waits: RunWaits) -> str:
    """Commit the children together with the move to `waiting`, under the fence."""
    claimed = run.claimed
    try:
        with here.app.transaction(claimed.owner_id) as session:
            if run.unsaved is not None:
                perform(session, save_of(run, run.unsaved))
            steps = children.wait_for(claimed, waits.children, fail_fast=waits.fail_fast)
            started = perform(session, steps)
    except children.MayNotWait:
        # cancelled meanwhile; where the fence is lost as well, this writes nothing
        stopped = settle.settle(
            claimed.job_id,
            claimed.fence,
            Status.CANCELLED,
            keep_days=here.settings.keep_jobs_days,
        )
        return _end(here, run, lambda: stopped, "cancelled")
    here.publisher.jobs_changed([(child, claimed.owner_id) for child in started])
    for lane in {child.kind.lane for child in waits.children}:
        here.publisher.room_made(lane)
    return "waiting"


def _end_stopped(here: process.Process, run: ActiveRun) -> str:
    claimed, stop = run.claimed, run.stop
    if stop is None or stop is Stop.LOST:
        return "lost"
    if stop is Stop.DRAINED:
        return _end(
            here, run, lambda: settle.give_back(claimed.job_id, claimed.fence), "given back"
        )
    error = {Stop.DEADLINE: DEADLINE_EXCEEDED, Stop.TIME_LIMIT: TIME_LIMIT_EXCEEDED}.get(stop)
    status = Status.CANCELLED if error is None else Status.FAILED
    return _end(
        here,
        run,
        lambda: settle.settle(
            claimed.job_id,
            claimed.fence,
            status,
            error=error,
            keep_days=here.settings.keep_jobs_days,
        ),
        stop.value,
    )


def _end(here: process.Process, run: ActiveRun, steps: Callable[[], Steps[bool]], name: str) -> str:
    """Write the end of an attempt that has no result, with what the next one may go on from."""
    with here.app.transaction(run.claimed.owner_id) as session:
        if run.unsaved is not None:
            perform(session, save_of(run, run.unsaved))
        return name if perform(session, steps()) else "lost"

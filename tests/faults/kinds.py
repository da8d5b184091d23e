"""Kinds that only tests know: bodies that wait, crash, err, hang, and count their effects."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.children import Child, ChildOutcome
from core.database import Steps
from core.kind import JobFailed, Kind, Lane, Progress, Run
from services.jobs import children as families
from services.jobs.claim import Claimed
from tasks import process
from tasks.attendant import ActiveRun
from tasks.base import job

#: Written by `keep` alone, without a unique key: two effects of one job would show.
EFFECTS = """
CREATE TABLE IF NOT EXISTS effects (job_id uuid NOT NULL, at timestamptz DEFAULT now());
CREATE TABLE IF NOT EXISTS bodies (job_id uuid NOT NULL, pid integer, at timestamptz DEFAULT now());
GRANT SELECT, INSERT ON effects, bodies TO wheels_app, wheels_engine
"""


class Nap(BaseModel):
    """How to behave.

    Attributes:
        seconds: how long the body takes, looking up every `step_s`.
        fail_first: attempts that end in a retryable error.
        crash: the process kills itself, every time.
        stubborn: never asks whether it should stop.
    """

    seconds: float = 0.1
    step_s: float = 0.02
    fail_first: int = 0
    crash: bool = False
    stubborn: bool = False
    bug: bool = False


class Rest(BaseModel):
    steps: int
    finished_early: bool = False


NAP = Kind("nap", Nap, Rest, lane=Lane.COMPUTE, time_limit_s=60, improves=True)
DOZE = Kind("doze", Nap, Rest, lane=Lane.IO, time_limit_s=60, improves=True)
BLINK = Kind("blink", Nap, Rest, lane=Lane.COMPUTE, time_limit_s=1)


def count_effect(session: Session, claimed: Claimed, _request: Nap, result: Rest) -> Rest:
    """The domain write of a nap: one row, committed with the result or not at all."""
    session.execute(text("INSERT INTO effects (job_id) VALUES (:id)"), {"id": claimed.job_id})
    return result


def _attempt(run: Run) -> int:
    claimed: Claimed = run.claimed  # type: ignore[attr-defined]
    return claimed.attempt


def rest(request: Nap, run: Run) -> Rest:
    if request.crash:
        os.kill(os.getpid(), signal.SIGKILL)
    if request.bug:
        raise ZeroDivisionError("a bug with a secret in its text")
    if _attempt(run) <= request.fail_first:
        raise JobFailed("NOT_YET", "Try me again.", status=503, retryable=True)
    steps, until = 0, time.monotonic() + request.seconds
    while (left := until - time.monotonic()) > 0:
        if not request.stubborn:
            run.check()
            run.report(Progress(fraction=1 - left / request.seconds, stage="napping"))
            if run.finish_requested:
                return Rest(steps=steps, finished_early=True)
        time.sleep(min(request.step_s, left))
        steps += 1
    return Rest(steps=steps)


job(NAP, keep=count_effect)(rest)
job(DOZE, keep=count_effect)(rest)
job(BLINK)(rest)


class Dictation(BaseModel):
    """A file to write, and how that goes wrong.

    Attributes:
        fault: what happens to the attempts up to `last_bad`.
        attempt_in_text: each attempt writes other bytes.
    """

    fault: Literal["none", "killed_before_row", "killed_after_row", "error_after_row"] = "none"
    last_bad: int = 1
    attempt_in_text: bool = True


class Written(BaseModel):
    attempt: int


SCRIBE = Kind("scribe", Dictation, Written, lane=Lane.COMPUTE, time_limit_s=60)


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@job(SCRIBE)
def write(request: Dictation, run: Run) -> Written:
    assert isinstance(run, ActiveRun)
    attempt = run.claimed.attempt
    fault = request.fault if attempt <= request.last_bad else "none"
    if fault == "killed_before_row":
        run._files._record = _die  # type: ignore[method-assign, assignment]
    text = f"written by attempt {attempt}" if request.attempt_in_text else "always the same"
    run.artifact("letter.txt", "text/plain", text.encode())
    if fault == "killed_after_row":
        _die()
    if fault == "error_after_row":
        raise JobFailed("SMUDGED", "Once more.", status=503, retryable=True)
    return Written(attempt=attempt)


class Hoard(BaseModel):
    megabytes: int


HOARD = Kind("hoard", Hoard, Rest, lane=Lane.COMPUTE, time_limit_s=60)


@job(HOARD)
def hoard(request: Hoard, run: Run) -> Rest:
    return Rest(steps=len(bytearray(request.megabytes * 1024 * 1024)))


class Brood(BaseModel):
    """Jobs to start and wait for, and how that goes wrong.

    Attributes:
        naps: started first, and waited for.
        then: started after that, likewise.
        die_before: the first attempt kills itself before this statement of the wait; past the
            last, before the commit; and past that, after it.
    """

    naps: list[Nap]
    then: list[Nap] = []
    fail_fast: bool = True
    die_before: int | None = None


class Reared(BaseModel):
    attempt: int
    statuses: list[str]
    steps: int


#: Statements of a wait: hold, start, count, move.
WAIT_STEPS = 4
BROOD = Kind("brood", Brood, Reared, lane=Lane.COMPUTE, time_limit_s=60)


def _deadly(before: int) -> Callable[..., Steps[Any]]:
    """The wait for children, until the process dies."""
    real = families.wait_for

    def wait_for(*args: Any, **more: Any) -> Steps[Any]:
        steps = real(*args, **more)
        wanted = next(steps)
        for n in range(WAIT_STEPS + 1):
            if n == before:
                _die()
            try:
                wanted = steps.send((yield wanted))
            except StopIteration as done:
                if n + 1 == before:
                    _die()
                return done.value
        raise AssertionError("a wait has more statements than were known")

    return wait_for


def count_rearing(session: Session, claimed: Claimed, _request: Brood, result: Reared) -> Reared:
    session.execute(text("INSERT INTO effects (job_id) VALUES (:id)"), {"id": claimed.job_id})
    return result


@job(BROOD, keep=count_rearing)
def rear(request: Brood, run: Run) -> Reared:
    attempt = _attempt(run)
    if request.die_before is not None and attempt == 1:
        families.wait_for = _deadly(request.die_before)
        if request.die_before > WAIT_STEPS:
            process.current().publisher.room_made = _die  # type: ignore[method-assign, assignment]
    found: list[ChildOutcome] = []
    for wave, naps in enumerate((request.naps, request.then)):
        wanted = [Child(f"{wave}-{n}", NAP, nap) for n, nap in enumerate(naps)]
        found += run.children(wanted, fail_fast=request.fail_fast)
    steps = sum(each.result.steps for each in found if each.result)
    return Reared(attempt=attempt, statuses=[each.status for each in found], steps=steps)

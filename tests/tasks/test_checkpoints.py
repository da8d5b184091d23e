"""`run.checkpoint` from inside of a body: what the next attempt finds, and what is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from core.kind import CHECKPOINT_MAX, JobFailed, Run
from services.jobs import repair
from tasks.base import live
from tests.faults.kinds import NAP, Nap, Rest, count_effect
from tests.lab import DAYS, Lab, in_this_process
from tests.stack import Stores, until


@pytest.fixture
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    with in_this_process(made):
        yield made
    made.close()


def saved(lab: Lab, job_id: UUID) -> Any:
    return lab.stores.one("SELECT state FROM job_checkpoints WHERE job_id = %s", job_id)


class Counting:
    """A body that counts to ten, a checkpoint for each, and may be stopped on its way."""

    def __init__(self) -> None:
        self.began_at: list[int] = []

    def __call__(self, request: Nap, run: Run) -> Rest:
        n = (run.restored or {"n": 0})["n"]
        self.began_at.append(n)
        while n < 10:
            n += 1
            run.checkpoint({"n": n})
            if n == 4 and len(self.began_at) == 1:
                self.stop(run)
        return Rest(steps=n)

    def stop(self, run: Run) -> None:
        raise JobFailed("NOT_YET", "Try me again.", status=503, retryable=True)


class TestAnAttemptAfter:
    def test_an_error_goes_on_from_the_newest_checkpoint(self, lab: Lab) -> None:
        """It was not even written yet when the error came."""
        job_id = lab.submit(lab.make_user()).job_id
        body = Counting()
        assert live(NAP, body, count_effect, job_id, 0) == "error"
        assert saved(lab, job_id) == {"n": 4}
        lab.past(job_id, ready_at=0)
        assert live(NAP, body, count_effect, job_id, 1) == "succeeded"
        assert body.began_at == [0, 4]
        assert saved(lab, job_id) is None

    def test_a_drain_goes_on_from_there(self, lab: Lab) -> None:
        class Drained(Counting):
            def stop(self, run: Run) -> None:
                with lab.stores.sql() as connection:
                    connection.execute(
                        "UPDATE workers SET draining_at = now() - interval '10 s' WHERE id = %s",
                        (lab.worker_id,),
                    )
                while True:
                    run.check()
                    time.sleep(0.01)

        job_id = lab.submit(lab.make_user()).job_id
        body = Drained()
        assert live(NAP, body, count_effect, job_id, 0) == "given back"
        assert (lab.status(job_id), saved(lab, job_id)) == ("queued", {"n": 4})
        assert live(NAP, body, count_effect, job_id, 0) == "succeeded"
        assert body.began_at == [0, 4]

    def test_a_bug_finds_nothing_for_there_is_none(self, lab: Lab) -> None:
        class Buggy(Counting):
            def stop(self, run: Run) -> None:
                raise ZeroDivisionError

        job_id = lab.submit(lab.make_user()).job_id
        live(NAP, Buggy(), count_effect, job_id, 0)
        assert (lab.status(job_id), saved(lab, job_id)) == ("failed", None)


class TestWhileItRuns:
    def test_the_newest_of_many_is_durable_soon(self, lab: Lab) -> None:
        seen: list[Any] = []
        took: list[float] = []

        def body(_request: Nap, run: Run) -> Rest:
            for n in range(1000):
                began = time.monotonic()
                run.checkpoint({"n": n})
                took.append(time.monotonic() - began)
            seen.append(until(lambda: saved(lab, job_id), 10))
            return Rest(steps=1)

        job_id = lab.submit(lab.make_user()).job_id
        assert live(NAP, body, count_effect, job_id, 0) == "succeeded"
        assert seen == [{"n": 999}]
        # nobody waited for a disk: the median, for a busy machine takes its turns
        assert sorted(took)[500] < 0.001

    def test_a_run_that_was_taken_away_saves_nothing(self, lab: Lab) -> None:
        def body(_request: Nap, run: Run) -> Rest:
            run.checkpoint({"n": 1})
            until(lambda: saved(lab, job_id), 10)
            lab.past(job_id, lease_until=1)
            assert lab.as_engine(repair.rescue(keep_days=DAYS))
            while True:  # until it hears that it is no longer wanted
                run.checkpoint({"n": 2})
                time.sleep(0.01)

        job_id = lab.submit(lab.make_user()).job_id
        assert live(NAP, body, count_effect, job_id, 0) == "lost"
        assert saved(lab, job_id) == {"n": 1}


class TestAState:
    @pytest.mark.parametrize(
        "state", [{"n": float("nan")}, {"n": threading.Lock()}, {("a", "b"): 1}, {1: {2, 3}}]
    )
    def test_that_json_cannot_say_is_refused(self, lab: Lab, state: Any) -> None:
        assert isinstance(_refusal(lab, state), ValueError)

    def test_has_a_largest_size(self, lab: Lab) -> None:
        assert _refusal(lab, {"text": "x" * (CHECKPOINT_MAX - 11)}) is None
        assert isinstance(_refusal(lab, {"text": "x" * (CHECKPOINT_MAX - 10)}), ValueError)


def _refusal(lab: Lab, state: Any) -> Exception | None:
    raised: list[Exception] = []

    def body(_request: Nap, run: Run) -> Rest:
        try:
            run.checkpoint(state)
        except ValueError as error:
            raised.append(error)
        return Rest(steps=0)

    live(NAP, body, count_effect, lab.submit(lab.make_user()).job_id, 0)
    return raised[0] if raised else None

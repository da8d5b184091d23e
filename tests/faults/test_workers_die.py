"""Workers that are killed, frozen, poisoned or told to go: scenarios 1, 2, 14, 15, 16 and 22."""

from __future__ import annotations

import os
import signal
import time
from uuid import UUID

from celery import Celery

from tests.faults.conftest import LEASE_S, Floor
from tests.faults.kinds import BLINK, DOZE
from tests.stack import until


def pid_of(floor: Floor, job_id: UUID) -> int:
    """The worker child that holds the job."""
    return int(floor.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", job_id))


def attempt_of(floor: Floor, job_id: UUID) -> int:
    return int(floor.stores.one("SELECT attempt FROM jobs WHERE id = %s", job_id))


class TestAChildIsKilled:
    def test_its_job_is_done_again_at_once(self, floor: Floor) -> None:
        """1: kill -9 of the pool child in mid-run."""
        floor.housekeeping()
        floor.worker()
        (job_id,) = floor.submit(seconds=1.5)
        until(lambda: floor.running([job_id]))
        child = pid_of(floor, job_id)
        # a lease that outlives the test: it is the foreman who frees the job, not its end
        with floor.stores.sql() as connection:
            connection.execute("UPDATE job_runs SET lease_until = now() + interval '1 hour'")
            os.kill(child, signal.SIGKILL)
        until(lambda: attempt_of(floor, job_id) == 2, 30)
        floor.ended()
        floor.check()
        assert attempt_of(floor, job_id) == 2


class TestAWholeWorkerIsKilled:
    def test_another_worker_takes_over_when_the_lease_ends(self, floor: Floor) -> None:
        """2: kill -9 of the group; nobody restarts it."""
        floor.housekeeping()
        first = floor.worker()
        jobs = floor.submit(2, seconds=2)
        until(lambda: floor.running(jobs))
        floor.worker()
        first.kill()
        killed = time.monotonic()
        floor.ended(within_s=LEASE_S + 25)
        assert time.monotonic() - killed < LEASE_S + 20
        floor.check()

    def test_its_successor_starts_over_at_once(self, floor: Floor) -> None:
        """2: kill -9 of the group, restarted under its name; far inside the lease."""
        floor.housekeeping()
        first = floor.worker(name="phoenix")
        jobs = floor.submit(2, seconds=30)
        until(lambda: floor.running(jobs))
        # a lease that outlives the test: whatever frees the jobs, it is not its end
        with floor.stores.sql() as connection:
            connection.execute("UPDATE job_runs SET lease_until = now() + interval '1 hour'")
        first.restart()
        until(lambda: all(attempt_of(floor, job_id) == 2 for job_id in jobs), 30)


class TestDuplicateDelivery:
    def test_five_messages_at_once_make_one_attempt(self, floor: Floor) -> None:
        """14: the broker hands the same message out five times."""
        floor.worker(slots=4)
        (job_id,) = floor.submit(seconds=1)
        sender = Celery(broker=floor.stores.valkey.url())
        sender.conf.broker_transport_options = {"global_keyprefix": "wheels:"}
        for _ in range(5):
            sender.send_task("nap", kwargs={"job_id": str(job_id), "attempt": 0}, queue="compute")
        sender.close()
        floor.ended()
        floor.check()
        assert attempt_of(floor, job_id) == 1


class TestAWorkerIsFrozen:
    def test_what_it_writes_after_its_lease_is_refused(self, floor: Floor) -> None:
        """15: SIGSTOP for longer than the lease, then SIGCONT."""
        floor.housekeeping()
        frozen = floor.worker(slots=1)
        (job_id,) = floor.submit(seconds=2)
        until(lambda: floor.running([job_id]))
        frozen.signal_group(signal.SIGSTOP)
        floor.worker(slots=1)
        floor.ended(within_s=LEASE_S + 20)
        frozen.signal_group(signal.SIGCONT)
        until(lambda: '"lost"' in frozen.output(), 20)
        floor.check()
        assert attempt_of(floor, job_id) == 2


class TestPoison:
    def test_a_job_that_kills_its_worker_fails_at_the_third_crash(self, floor: Floor) -> None:
        """16: and the queue keeps moving."""
        floor.housekeeping()
        floor.worker()
        (poison,) = floor.submit(crash=True)
        others = floor.submit(5, seconds=0.1)
        floor.ended(others, 30)
        floor.ended(within_s=60)
        floor.check()
        error = floor.stores.one("SELECT error FROM job_payloads WHERE job_id = %s", poison)
        assert error["error_code"] == "WORKER_LOST"
        assert attempt_of(floor, poison) == 3


class TestErrors:
    def test_retryable_ones_are_tried_again(self, floor: Floor) -> None:
        floor.housekeeping()
        floor.worker()
        (job_id,) = floor.submit(fail_first=2)
        floor.ended()
        floor.check()
        assert attempt_of(floor, job_id) == 3
        assert floor.lab.status(job_id) == "succeeded"

    def test_a_bug_fails_at_once_and_tells_no_secret(self, floor: Floor) -> None:
        floor.housekeeping()
        floor.worker()
        (job_id,) = floor.submit(bug=True)
        floor.ended()
        error = floor.stores.one("SELECT error FROM job_payloads WHERE job_id = %s", job_id)
        assert error["error_code"] == "INTERNAL_ERROR"
        assert "secret" not in str(error)
        assert attempt_of(floor, job_id) == 1

    def test_a_run_past_its_time_limit_ends(self, floor: Floor) -> None:
        floor.housekeeping()
        floor.worker()
        (job_id,) = floor.submit(1, BLINK, seconds=20)
        floor.ended(within_s=10)
        error = floor.stores.one("SELECT error FROM job_payloads WHERE job_id = %s", job_id)
        assert error["error_code"] == "TIME_LIMIT_EXCEEDED"


class TestTheThreadsLane:
    def test_serves_many_at_once_and_gives_back_on_sigterm(self, floor: Floor) -> None:
        floor.housekeeping()
        first = floor.worker("io", slots=8)
        jobs = floor.submit(8, DOZE, seconds=9)
        until(lambda: floor.running(jobs))
        assert len({pid_of(floor, job_id) for job_id in jobs}) == 1
        assert first.stop(20) == 0
        floor.worker("io", slots=8)
        floor.ended()
        floor.check()
        assert all(attempt_of(floor, job_id) == 1 for job_id in jobs)


class TestDeploy:
    def test_sigterm_lets_short_runs_end_and_gives_long_ones_back(self, floor: Floor) -> None:
        """22: rc 0, and nothing is counted as a crash."""
        floor.housekeeping()
        old = floor.worker(slots=2)
        (short,) = floor.submit(seconds=3)
        (long,) = floor.submit(seconds=9)
        until(lambda: floor.running([short, long]))
        began = time.monotonic()
        assert old.stop(20) == 0
        assert time.monotonic() - began < 12
        assert floor.lab.status(short) == "succeeded"
        assert floor.lab.status(long) == "queued"
        floor.worker(slots=2)
        floor.ended()
        floor.check()
        assert attempt_of(floor, long) == 1

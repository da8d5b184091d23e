"""Runs that hang, eat memory, or live under a wrong clock: scenarios 17, 18 and 19."""

from __future__ import annotations

import resource
import time
from uuid import UUID

import psutil
import pytest

from services.jobs import requests
from tests.faults.conftest import LEASE_S, Floor
from tests.faults.kinds import BLINK, HOARD
from tests.lab import DAYS
from tests.stack import until

MB = 1024 * 1024


def ended_at(floor: Floor, job_id: UUID) -> float:
    query = "SELECT extract(epoch FROM finished_at)::float8 FROM jobs WHERE id = %s"
    return float(floor.stores.one(query, job_id))


def error_code_of(floor: Floor, job_id: UUID) -> str:
    query = "SELECT error ->> 'error_code' FROM job_payloads WHERE job_id = %s"
    return str(floor.stores.one(query, job_id))


class TestMemory:
    def test_a_run_that_gets_no_more_fails_and_its_worker_serves_on(self, floor: Floor) -> None:
        """17: the kernel refuses (prlimit); where it kills, it is scenario 1 and, thrice, 16."""
        floor.housekeeping()
        worker = floor.worker(slots=1)
        (before,) = floor.submit()
        floor.ended()
        for pid in worker.children():
            size = psutil.Process(pid).memory_info().vms + 100 * MB
            psutil.Process(pid).rlimit(resource.RLIMIT_AS, (size, size))
        (greedy,) = floor.submit(1, HOARD, megabytes=2000)
        (after,) = floor.submit()
        floor.ended()
        floor.check()
        assert [floor.lab.status(one) for one in (before, greedy, after)] == [
            "succeeded",
            "failed",
            "succeeded",
        ]
        assert error_code_of(floor, greedy) == "INTERNAL_ERROR"

    def test_children_replaced_for_their_size_lose_nothing(self, floor: Floor) -> None:
        """17: every child is over the limit, so each serves one job."""
        floor.housekeeping()
        floor.worker(slots=2, options=["--max-memory-per-child", "1"])
        jobs = floor.submit(6)
        floor.ended()
        floor.check()
        query = "SELECT max(attempt), max(crashes) FROM jobs WHERE id = ANY(%s)"
        with floor.stores.sql() as connection:
            assert connection.execute(query, (jobs,)).fetchone() == (1, 0)
        pids = "SELECT count(DISTINCT pid) FROM job_runs WHERE job_id = ANY(%s)"
        assert floor.stores.one(pids, jobs) > 2


class TestAHungRun:
    def test_ends_cleanly_and_its_slot_serves_again_at_once(self, floor: Floor) -> None:
        """18: a body that never asks; one past its time limit, one that its owner cancels."""
        floor.housekeeping()
        floor.worker(slots=2)
        (hung,) = floor.submit(1, BLINK, seconds=60, stubborn=True)
        (unwanted,) = floor.submit(seconds=60, stubborn=True)
        until(lambda: floor.running([hung, unwanted]))
        asked = time.monotonic()
        floor.lab.as_owner(floor.owner, requests.cancel(floor.owner, unwanted, keep_days=DAYS))
        floor.ended([unwanted])
        # the grace is five seconds, and the lifeline looks once a second
        assert time.monotonic() - asked < 9
        assert floor.lab.status(unwanted) == "cancelled"
        (next_one,) = floor.submit()
        floor.ended([hung, next_one], 40)
        assert floor.lab.status(hung) == "failed"
        assert error_code_of(floor, hung) == "TIME_LIMIT_EXCEEDED"
        assert ended_at(floor, next_one) - ended_at(floor, hung) < 2
        floor.check()


class TestAWrongClock:
    @pytest.mark.parametrize("skew_s", [3600, -3600])
    def test_changes_nothing(self, floor: Floor, skew_s: int) -> None:
        """19: leases, deadlines and back-offs go by the clock of Postgres."""
        floor.housekeeping()
        floor.worker(slots=2, app="tests.faults.skewed", SKEW_S=str(skew_s))
        # longer than the lease: it must have been renewed, and by the right clock
        (long,) = floor.submit(seconds=LEASE_S + 2)
        (again,) = floor.submit(fail_first=1)
        bounded = floor.lab.submit(floor.owner, deadline_s=120, start_within_s=60).job_id
        floor.accepted.append(bounded)
        floor.ended()
        floor.check()
        query = "SELECT attempt FROM jobs WHERE id = %s"
        attempts = [floor.stores.one(query, one) for one in (long, again, bounded)]
        assert attempts == [1, 2, 1]

"""Jobs that start jobs, with real workers: killed at every step, cancelled, failed, on one slot."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.jobs import requests
from tests.faults.conftest import Floor
from tests.faults.kinds import BROOD, NAP, WAIT_STEPS
from tests.lab import DAYS
from tests.stack import until

SHORT = {"seconds": 0.05}
LONG = {"seconds": 50}


def children_of(floor: Floor, job_id: UUID) -> list[tuple[Any, ...]]:
    """Status and effects of each."""
    with floor.stores.sql() as sql:
        return sql.execute(
            "SELECT status, (SELECT count(*) FROM effects WHERE job_id = id) FROM jobs"
            " WHERE parent_id = %s ORDER BY child_key",
            (job_id,),
        ).fetchall()


def result_of(floor: Floor, job_id: UUID) -> Any:
    return floor.stores.one("SELECT result FROM job_payloads WHERE job_id = %s", job_id)


class TestAKill:
    def test_at_any_step_of_the_wait_starts_no_child_twice_and_none_too_few(
        self, floor: Floor
    ) -> None:
        # between any two statements, before the commit, after it
        steps = range(1, WAIT_STEPS + 2)
        made = [floor.submit(kind=BROOD, naps=[SHORT] * 2, die_before=n)[0] for n in steps]
        floor.worker(slots=3)
        floor.housekeeping()
        floor.ended()
        floor.check()
        for n, job_id in zip(steps, made, strict=True):
            assert floor.lab.status(job_id) == "succeeded"
            assert children_of(floor, job_id) == [("succeeded", 1)] * 2
            # the last died when all was committed: the job waited, and lost nothing
            crashes = floor.stores.one("SELECT crashes FROM jobs WHERE id = %s", job_id)
            assert crashes == (0 if n > WAIT_STEPS else 1)

    def test_of_the_worker_under_the_children_loses_nothing(self, floor: Floor) -> None:
        (job_id,) = floor.submit(kind=BROOD, naps=[{"seconds": 1}] * 2, then=[SHORT])
        worker = floor.worker(slots=2)
        floor.housekeeping()
        running = "SELECT count(*) FROM jobs WHERE parent_id = %s AND status = 'running'"
        until(lambda: floor.stores.one(running, job_id) == 2)
        worker.restart()
        floor.ended()
        floor.check()
        assert floor.lab.status(job_id) == "succeeded"
        assert children_of(floor, job_id) == [("succeeded", 1)] * 3
        assert result_of(floor, job_id)["attempt"] == 3


class TestOneSlot:
    def test_is_enough_for_a_job_and_all_that_it_waits_for(self, floor: Floor) -> None:
        (job_id,) = floor.submit(kind=BROOD, naps=[SHORT] * 3, then=[SHORT] * 2)
        floor.worker(slots=1)
        floor.housekeeping()
        floor.ended()
        floor.check()
        assert result_of(floor, job_id)["statuses"] == ["succeeded"] * 5
        attempts = "SELECT array_agg(outcome ORDER BY attempt) FROM job_attempts WHERE job_id = %s"
        assert floor.stores.one(attempts, job_id) == ["waiting", "waiting", "succeeded"]


class TestAChildThatFails:
    def test_fails_its_parent_and_stops_its_siblings(self, floor: Floor) -> None:
        (job_id,) = floor.submit(kind=BROOD, naps=[LONG, {"bug": True}, LONG, LONG])
        floor.worker(slots=2)
        floor.housekeeping()
        floor.ended(within_s=30)
        floor.check()
        error = floor.stores.one("SELECT error FROM job_payloads WHERE job_id = %s", job_id)
        assert (error["error_code"], error["retryable"]) == ("CHILD_FAILED", False)
        codes = {each["key"]: each["error_code"] for each in error["children"]}
        assert codes == {"0-0": None, "0-1": "INTERNAL_ERROR", "0-2": None, "0-3": None}
        assert [status for status, _ in children_of(floor, job_id)] == [
            *("cancelled", "failed", "cancelled", "cancelled")
        ]

    def test_is_looked_at_where_all_are_collected(self, floor: Floor) -> None:
        (job_id,) = floor.submit(kind=BROOD, naps=[SHORT, {"bug": True}], fail_fast=False)
        floor.worker(slots=2)
        floor.housekeeping()
        floor.ended()
        floor.check()
        assert result_of(floor, job_id)["statuses"] == ["succeeded", "failed"]


class TestACancel:
    def test_ends_the_whole_tree_and_frees_the_workers(self, floor: Floor) -> None:
        (job_id,) = floor.submit(kind=BROOD, naps=[LONG] * 4)
        floor.worker(slots=2)
        floor.housekeeping()
        running = "SELECT count(*) FROM jobs WHERE parent_id = %s AND status = 'running'"
        until(lambda: floor.stores.one(running, job_id) == 2)
        steps = requests.cancel(floor.owner, job_id, keep_days=DAYS)
        assert len(floor.lab.as_owner(floor.owner, steps)) == 4
        assert floor.lab.status(job_id) == "cancelled"
        (after,) = floor.submit(kind=NAP, seconds=0)
        floor.ended(within_s=20)
        floor.check()
        assert floor.lab.status(after) == "succeeded"
        until(lambda: children_of(floor, job_id) == [("cancelled", 0)] * 4)

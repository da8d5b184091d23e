"""Jobs that start jobs, with a real worker: killed at every step, cancelled, failed, in a crowd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from services.jobs import requests
from tests.faults.conftest import Floor
from tests.faults.kinds import BROOD, NAP, WAIT_STEPS
from tests.lab import DAYS, Lab
from tests.stack import Stores, entered, until


@pytest.fixture(scope="module")
def yard(fault_stores: Stores) -> Iterator[Floor]:
    """A worker with two slots and the lifeline, shared by the tests."""
    lab = Lab(fault_stores)
    made = Floor(fault_stores, lab, lab.make_user())
    made.worker(slots=2)
    made.housekeeping()
    yield made
    for child in made.children:
        child.kill()
    lab.close()


SHORT = {"seconds": 0.05}
LONG = {"seconds": 50}


def children_of(yard: Floor, job_id: UUID) -> list[tuple[Any, ...]]:
    """Status and effects of each."""
    with yard.stores.sql() as sql:
        return sql.execute(
            "SELECT status, (SELECT count(*) FROM effects WHERE job_id = id) FROM jobs"
            " WHERE parent_id = %s ORDER BY child_key",
            (job_id,),
        ).fetchall()


def result_of(yard: Floor, job_id: UUID) -> Any:
    return yard.stores.one("SELECT result FROM job_payloads WHERE job_id = %s", job_id)


class TestAKill:
    def test_at_any_step_of_the_wait_starts_no_child_twice_and_none_too_few(
        self, yard: Floor
    ) -> None:
        # between any two statements, before the commit, after it
        steps = range(1, WAIT_STEPS + 2)
        made = [yard.submit(kind=BROOD, naps=[SHORT] * 2, die_before=n)[0] for n in steps]
        yard.ended()
        yard.check()
        for n, job_id in zip(steps, made, strict=True):
            assert yard.lab.status(job_id) == "succeeded"
            assert children_of(yard, job_id) == [("succeeded", 1)] * 2
            # the last died when all was committed: the job waited, and lost nothing
            crashes = yard.stores.one("SELECT crashes FROM jobs WHERE id = %s", job_id)
            assert crashes == (0 if n > WAIT_STEPS else 1)

    def test_of_the_worker_under_the_children_loses_nothing(self, yard: Floor) -> None:
        (job_id,) = yard.submit(kind=BROOD, naps=[{"seconds": 1}] * 2, then=[SHORT])
        (worker, _) = yard.children
        running = "SELECT count(*) FROM jobs WHERE parent_id = %s AND status = 'running'"
        until(lambda: yard.stores.one(running, job_id) == 2)
        worker.restart()
        entered(yard.stores, worker)
        yard.ended()
        yard.check()
        assert yard.lab.status(job_id) == "succeeded"
        assert children_of(yard, job_id) == [("succeeded", 1)] * 3
        assert result_of(yard, job_id)["attempt"] == 3


class TestTwoSlots:
    def test_are_enough_for_two_jobs_and_all_that_they_wait_for(self, yard: Floor) -> None:
        made = [yard.submit(kind=BROOD, naps=[SHORT] * 3, then=[SHORT] * 2)[0] for _ in range(2)]
        yard.ended(made)
        yard.check()
        attempts = "SELECT array_agg(outcome ORDER BY attempt) FROM job_attempts WHERE job_id = %s"
        for job_id in made:
            assert result_of(yard, job_id)["statuses"] == ["succeeded"] * 5
            assert yard.stores.one(attempts, job_id) == ["waiting", "waiting", "succeeded"]


class TestAChildThatFails:
    def test_fails_its_parent_and_stops_its_siblings(self, yard: Floor) -> None:
        (job_id,) = yard.submit(kind=BROOD, naps=[LONG, {"bug": True}, LONG, LONG])
        yard.ended(within_s=30)
        yard.check()
        error = yard.stores.one("SELECT error FROM job_payloads WHERE job_id = %s", job_id)
        assert (error["error_code"], error["retryable"]) == ("CHILD_FAILED", False)
        codes = {each["key"]: each["error_code"] for each in error["children"]}
        assert codes == {"0-0": None, "0-1": "INTERNAL_ERROR", "0-2": None, "0-3": None}
        assert [status for status, _ in children_of(yard, job_id)] == [
            *("cancelled", "failed", "cancelled", "cancelled")
        ]

    def test_is_looked_at_where_all_are_collected(self, yard: Floor) -> None:
        (job_id,) = yard.submit(kind=BROOD, naps=[SHORT, {"bug": True}], fail_fast=False)
        yard.ended()
        yard.check()
        assert result_of(yard, job_id)["statuses"] == ["succeeded", "failed"]


class TestACancel:
    def test_ends_the_whole_tree_and_frees_the_workers(self, yard: Floor) -> None:
        (job_id,) = yard.submit(kind=BROOD, naps=[LONG] * 4)
        running = "SELECT count(*) FROM jobs WHERE parent_id = %s AND status = 'running'"
        until(lambda: yard.stores.one(running, job_id) == 2)
        steps = requests.cancel(yard.owner, job_id, keep_days=DAYS)
        assert len(yard.lab.as_owner(yard.owner, steps)) == 4
        assert yard.lab.status(job_id) == "cancelled"
        (after,) = yard.submit(kind=NAP, seconds=0)
        yard.ended(within_s=20)
        yard.check()
        assert yard.lab.status(after) == "succeeded"
        until(lambda: children_of(yard, job_id) == [("cancelled", 0)] * 4)

"""The attempts of a job over HTTP: who ran each, and why it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from services.jobs import fleet, repair, settle
from tests.conftest import User
from tests.errands import LEASE_S, Errands, url
from tests.lab import DAYS


async def attempts(user: User, job_id: object, query: str = "") -> Any:
    answer = await user.http.get(url(str(job_id), f"/attempts{query}"))
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestAttempts:
    async def test_are_none_before_the_first_claim(self, user: User, errands: Errands) -> None:
        listed = await attempts(user, errands.submit())
        assert listed == {"data": [], "total": 0, "page": 1, "page_size": 50}

    async def test_of_a_running_job_name_its_worker_and_its_lease(
        self, user: User, errands: Errands
    ) -> None:
        lab = errands.lab
        job_id = errands.submit()
        errands.claim(job_id)
        [one] = (await attempts(user, job_id))["data"]
        name = lab.stores.one("SELECT name FROM workers WHERE id = %s", lab.worker_id)
        assert (one["attempt"], one["worker"]) == (1, name)
        assert (one["ended_at"], one["outcome"], one["error"]) == (None, None, None)
        left = datetime.fromisoformat(one["lease_until"]) - datetime.fromisoformat(
            one["started_at"]
        )
        assert left.total_seconds() == LEASE_S
        assert one["lease_until"].endswith("Z")

    async def test_tell_why_each_ended(self, user: User, errands: Errands) -> None:
        """Given back, an error, a lost worker, success."""
        lab = errands.lab
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        assert lab.as_engine(settle.give_back(job_id, claimed.fence))
        errands.err(errands.claim(job_id), retryable=True)
        errands.claim(job_id, 1)
        pid = lab.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", job_id)
        lab.as_engine(fleet.bury(lab.worker_id, [pid]))
        [*_, buried] = (await attempts(user, job_id))["data"]
        assert (buried["lease_until"], buried["outcome"]) == (None, None)
        lab.as_engine(repair.rescue(keep_days=DAYS))
        errands.succeed(errands.claim(job_id, 2))
        listed = await attempts(user, job_id)
        assert listed["total"] == 4
        assert [(each["attempt"], each["outcome"]) for each in listed["data"]] == [
            (1, "given_back"),
            (1, "retried"),
            (2, "lost"),
            (3, "succeeded"),
        ]
        codes = [each["error"] and each["error"]["error_code"] for each in listed["data"]]
        assert codes == [None, "ROAD_CLOSED", "WORKER_LOST", None]
        assert all(each["ended_at"] >= each["started_at"] for each in listed["data"])
        assert all(each["lease_until"] is None for each in listed["data"])

    async def test_keep_the_name_of_a_worker_that_is_pruned(
        self, user: User, errands: Errands
    ) -> None:
        lab = errands.lab
        before, lab.worker_id = lab.worker_id, lab.enter(f"gone-{uuid4()}")
        try:
            job_id = errands.done()
            name = lab.stores.one("SELECT name FROM workers WHERE id = %s", lab.worker_id)
            with lab.stores.sql() as connection:
                connection.execute("DELETE FROM workers WHERE id = %s", (lab.worker_id,))
        finally:
            lab.worker_id = before
        [one] = (await attempts(user, job_id))["data"]
        assert one["worker"] == name

    async def test_come_in_pages(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        for _ in range(3):
            claimed = errands.claim(job_id)
            errands.lab.as_engine(settle.give_back(job_id, claimed.fence))
        page = await attempts(user, job_id, "?page=2&page_size=2")
        assert (len(page["data"]), page["total"], page["page"], page["page_size"]) == (1, 3, 2, 2)

    async def test_tell_no_fence_and_no_process(self, user: User, errands: Errands) -> None:
        [one] = (await attempts(user, errands.done()))["data"]
        assert one.keys() == {
            *("attempt", "worker", "started_at", "lease_until", "ended_at", "outcome", "error"),
        }

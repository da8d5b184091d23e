"""Parents and children over HTTP: what a job shows of its family, and a cancel of all of it."""

from __future__ import annotations

from uuid import UUID

from core.children import Child
from models.job import Status
from services.jobs import children
from tests import sse
from tests.conftest import User
from tests.errands import ERRAND, Errands, Parcel, url


def family(errands: Errands, count: int = 2) -> tuple[UUID, list[UUID]]:
    """A job that waits for so many."""
    job_id = errands.submit()
    wanted = [Child(str(n), ERRAND, Parcel(what=str(n))) for n in range(count)]
    steps = children.wait_for(errands.claim(job_id), wanted, fail_fast=True)
    return job_id, errands.lab.as_owner(errands.owner_id, steps)


class TestAFamily:
    async def test_is_shown_by_each_of_its_jobs(self, user: User, errands: Errands) -> None:
        job_id, started = family(errands)
        errands.succeed(errands.claim(started[0]))
        job = (await user.http.get(url(job_id))).json()["data"]
        assert (job["status"], job["parent_id"]) == ("waiting", None)
        assert job["children"] == {"total": 2, "finished": 1, "failed": 0}
        assert (job["progress"]["stage"], job["progress"]["fraction"]) == ("children", 0.5)
        child = (await user.http.get(url(started[1]))).json()["data"]
        assert (child["parent_id"], child["input"]) == (str(job_id), {"what": "1"})
        assert child["children"] == {"total": 0, "finished": 0, "failed": 0}

    async def test_is_listed_below_its_parent(self, user: User, errands: Errands) -> None:
        job_id, started = family(errands)
        family(errands)
        listed = (await user.http.get("/api/v1/jobs", params={"parent": str(job_id)})).json()
        assert [each["id"] for each in listed["data"]] == [str(each) for each in started[::-1]]
        assert listed["total"] == 2

    async def test_is_cancelled_with_its_parent(self, user: User, errands: Errands) -> None:
        job_id, (running, waiting) = family(errands)
        claimed = errands.claim(running)
        answer = await user.http.post(url(job_id, "/cancel"))
        assert answer.json()["data"]["status"] == "cancelled"
        child = (await user.http.get(url(waiting))).json()["data"]
        assert child["status"] == "cancelled"
        child = (await user.http.get(url(running))).json()["data"]
        assert (child["status"], child["cancel_requested_at"] is None) == ("running", False)
        errands.stop(claimed)
        job = (await user.http.get(url(job_id))).json()["data"]
        assert job["children"] == {"total": 2, "finished": 2, "failed": 2}

    async def test_is_followed_on_the_stream_of_its_parent(
        self, user: User, errands: Errands
    ) -> None:
        job_id, started = family(errands)
        for child in started:
            errands.succeed(errands.claim(child))
        errands.succeed(errands.claim(job_id, 1))
        frames = await sse.whole(user.http, url(job_id, "/events"))
        assert [frame.event for frame in frames] == [
            *("job.snapshot", "job.queued", "job.started", "job.progress", "job.progress"),
            *("job.queued", "job.started", "job.succeeded"),
        ]
        shown = frames[4].data["progress"]["data"]["children"]
        assert shown == {"total": 2, "finished": 1, "failed": 0}


class TestARetry:
    async def test_of_a_parent_has_children_of_its_own(self, user: User, errands: Errands) -> None:
        job_id, started = family(errands, 1)
        errands.err(errands.claim(started[0]), retryable=False)
        claimed = errands.claim(job_id, 1)
        errands.err(claimed, retryable=False)
        again = (await user.http.post(url(job_id, "/retry"))).json()["data"]
        assert (again["retry_of"], again["parent_id"]) == (str(job_id), None)
        assert again["children"]["total"] == 0

    async def test_of_a_child_belongs_to_nobody(self, user: User, errands: Errands) -> None:
        job_id, started = family(errands, 1)
        errands.err(errands.claim(started[0]), retryable=False)
        again = (await user.http.post(url(started[0], "/retry"))).json()["data"]
        assert (again["retry_of"], again["parent_id"]) == (str(started[0]), None)
        assert errands.lab.status(job_id) == Status.QUEUED

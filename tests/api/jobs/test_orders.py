"""What an owner may ask of a job over HTTP: cancel, finish, try again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.errands import DULL_ERRAND, Errands, soon, url
from tests.stack import Child
from tests.tasks.plan_route.bodies import body, stop


async def order(user: User, job_id: object, what: str) -> httpx2.Response:
    return await user.http.post(url(str(job_id), what))


class TestCancel:
    async def test_a_queued_job_ends_at_once(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        answer = await order(user, job_id, "/cancel")
        assert answer.status_code == 200
        job = answer.json()["data"]
        assert (job["status"], job["seq"]) == ("cancelled", 2)
        assert job["cancel_requested_at"] == job["finished_at"]
        assert job["expires_at"] is not None
        assert errands.lab.events(job_id) == ["job.queued", "job.cancelled"]

    async def test_a_running_job_is_asked_to_stop(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        answer = await order(user, job_id, "/cancel")
        job = answer.json()["data"]
        assert (answer.status_code, job["status"]) == (200, "running")
        assert job["cancel_requested_at"].endswith("Z")
        errands.stop(claimed)
        job = (await user.http.get(url(job_id))).json()["data"]
        assert (job["status"], job["error"], job["result"]) == ("cancelled", None, None)

    async def test_twice_is_once(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        first, second = [(await order(user, job_id, "/cancel")).json() for _ in range(2)]
        assert first == second

    async def test_of_a_running_job_keeps_the_time_of_the_first(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.submit()
        errands.claim(job_id)
        first, second = [
            (await order(user, job_id, "/cancel")).json()["data"]["cancel_requested_at"]
            for _ in range(2)
        ]
        assert first == second

    async def test_leaves_an_ended_job_as_it_ended(self, user: User, errands: Errands) -> None:
        job_id = errands.done()
        before = (await user.http.get(url(job_id))).json()
        answer = await order(user, job_id, "/cancel")
        assert (answer.status_code, answer.json()) == (200, before)

    async def test_needs_no_claim_to_hold(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        await order(user, job_id, "/cancel")
        assert errands.lab.claim(job_id) is None


class TestFinish:
    async def test_of_a_job_underway_is_accepted(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        for status in ("queued", "running"):
            answer = await order(user, job_id, "/finish")
            assert answer.status_code == 202
            assert answer.headers["location"] == url(job_id)
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["data"]["status"] == status
            if status == "queued":
                errands.claim(job_id)
        query = "SELECT finish_requested_at FROM jobs WHERE id = %s"
        assert errands.lab.stores.one(query, job_id) is not None

    async def test_of_a_queued_job_does_not_keep_it_from_its_lane(
        self, user: User, errands: Errands
    ) -> None:
        """Whoever admits passes over rows that are held, as this one is while it is written."""
        stores = errands.lab.stores
        with stores.sql() as connection:
            connection.execute("DELETE FROM jobs WHERE lane = 'io'")
        job_id = errands.submit()
        await order(user, job_id, "/finish")
        query = "SELECT admitted_at FROM jobs WHERE id = %s"
        await soon(lambda: stores.one(query, job_id) is not None)

    async def test_of_a_job_that_succeeded_changes_nothing(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.done()
        before = (await user.http.get(url(job_id))).json()
        answer = await order(user, job_id, "/finish")
        assert (answer.status_code, answer.json()) == (202, before)

    async def test_of_a_job_without_a_result_is_a_conflict(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.submit()
        await order(user, job_id, "/cancel")
        answer = await order(user, job_id, "/finish")
        assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_FINISHED")

    async def test_of_a_kind_that_does_not_improve_is_a_conflict(
        self, user: User, errands: Errands
    ) -> None:
        answer = await order(user, errands.submit(DULL_ERRAND), "/finish")
        assert answer.status_code == 409
        assert answer.json()["error_code"] == "JOB_HAS_NO_INTERIM_RESULT"


class TestRetry:
    async def test_submits_the_same_input_again(self, user: User, errands: Errands) -> None:
        old = errands.done(what="letters", tags=["a", "b"])
        answer = await order(user, old, "/retry")
        assert answer.status_code == 202
        job = answer.json()["data"]
        assert answer.headers["location"] == url(job["id"])
        assert (job["id"] != str(old), job["retry_of"]) == (True, str(old))
        assert (job["kind"], job["status"], job["seq"], job["attempt"]) == (
            *("errand", "queued", 1, 0),
        )
        assert (job["input"], job["tags"]) == ({"what": "letters"}, ["a", "b"])
        before = (await user.http.get(url(old))).json()["data"]
        assert (before["status"], before["retry_of"]) == ("succeeded", None)

    async def test_of_a_failed_job_starts_afresh(self, user: User, errands: Errands) -> None:
        old = errands.submit()
        errands.err(errands.claim(old), retryable=False)
        job = (await order(user, old, "/retry")).json()["data"]
        assert (job["error"], job["finished_at"]) == (None, None)

    @pytest.mark.parametrize("running", [False, True])
    async def test_of_an_unfinished_job_is_a_conflict(
        self, user: User, errands: Errands, running: bool
    ) -> None:
        job_id = errands.submit()
        if running:
            errands.claim(job_id)
        answer = await order(user, job_id, "/retry")
        assert (answer.status_code, answer.json()["error_code"]) == (409, "JOB_NOT_FINISHED")
        assert (await user.http.get("/api/v1/jobs")).json()["total"] == 1

    async def test_has_terms_of_its_own(self, user: User, errands: Errands) -> None:
        headers = {"Cancel-After": "90", "X-Queue-TTL": "30"}
        answer = await user.http.post(url(errands.done(), "/retry"), headers=headers)
        job = answer.json()["data"]
        assert job["deadline_at"] is not None
        assert job["start_by"] is not None

    async def test_may_be_waited_for(self, user: User, compute_worker: Child) -> None:
        wait = {"Prefer": "wait=25"}
        trip = body(stop("a"), stop("b"))
        first = (await user.http.post("/api/v1/routes", json=trip, headers=wait)).json()["data"]
        again = await user.http.post(url(first["id"], "/retry"), headers=wait)
        assert again.status_code == 202
        job = again.json()["data"]
        assert (job["status"], job["retry_of"]) == ("succeeded", first["id"])
        assert job["result"]["visits"] == first["result"]["visits"]


class TestAStranger:
    @pytest.mark.parametrize("what", ["/cancel", "/finish", "/retry"])
    async def test_is_told_that_nothing_is_there(
        self, user: User, errands: Errands, sign_up: Any, what: str
    ) -> None:
        stranger = await sign_up()
        job_id = errands.done() if what == "/retry" else errands.submit()
        for absent in (job_id, uuid4()):
            answer = await order(stranger, absent, what)
            assert (answer.status_code, answer.json()["error_code"]) == (404, "JOB_NOT_FOUND")
        query = "SELECT cancel_requested_at, finish_requested_at FROM jobs WHERE id = %s"
        with errands.lab.stores.sql() as connection:
            assert connection.execute(query, (job_id,)).fetchone() == (None, None)


class TestTooManyJobs:
    async def test_is_429_until_one_ends(
        self, user: User, errands: Errands, make_app: MakeApp, running: Running
    ) -> None:
        app = make_app(rate_limits=True, max_unfinished_jobs=2)
        trip = body(stop("a"), stop("b"))
        ended, *underway = errands.done(), errands.submit(), errands.submit()
        async with running(app) as http:
            http.headers["Authorization"] = user.http.headers["Authorization"]
            for path, content in (("/api/v1/routes", trip), (url(ended, "/retry"), None)):
                answer = await http.post(path, json=content)
                assert (answer.status_code, answer.json()["error_code"]) == (429, "TOO_MANY_JOBS")
                assert int(answer.headers["retry-after"]) >= 1
            await http.post(url(underway[0], "/cancel"))
            assert (await http.post("/api/v1/routes", json=trip)).status_code == 202

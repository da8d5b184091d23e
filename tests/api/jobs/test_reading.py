"""Reading jobs over HTTP: one with its ETag, and pages of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.conftest import User
from tests.errands import DULL_ERRAND, Errands, url

JOBS = "/api/v1/jobs"


async def ids(user: User, query: str = "") -> list[UUID]:
    answer = await user.http.get(f"{JOBS}{query}")
    assert answer.status_code == 200, answer.text
    return [UUID(job["id"]) for job in answer.json()["data"]]


class TestOneJob:
    async def test_tells_how_it_goes(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        errands.report(claimed, 0.4, best=7)
        answer = await user.http.get(url(job_id))
        job = answer.json()["data"]
        assert (job["status"], job["seq"], job["attempt"]) == ("running", 3, 1)
        assert job["progress"] == {
            "fraction": 0.4,
            "stage": "walking",
            "message": "",
            "data": {"best": 7},
        }
        assert isinstance(job["eta_s"], int)
        assert job["queue_position"] is None
        assert answer.headers["retry-after"] == "1"

    async def test_tells_how_it_ended(self, user: User, errands: Errands) -> None:
        answer = await user.http.get(url(errands.done()))
        job = answer.json()["data"]
        assert (job["status"], job["result"], job["error"]) == ("succeeded", {"steps": 1}, None)
        assert job["result_size_bytes"] == len('{"steps":1}')
        times = [job[name] for name in ("created_at", "started_at", "finished_at", "expires_at")]
        assert all(time.endswith("Z") for time in times)
        assert times == sorted(times, key=datetime.fromisoformat)
        assert "retry-after" not in answer.headers

    async def test_tells_why_it_failed(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        errands.err(errands.claim(job_id), retryable=False)
        job = (await user.http.get(url(job_id))).json()["data"]
        assert job["status"] == "failed"
        assert job["error"] == {
            "type": "urn:wheels-and-wins:error:road-closed",
            "title": "Road closed",
            "status": 503,
            "detail": "The road is closed.",
            "error_code": "ROAD_CLOSED",
            "retryable": False,
        }

    async def test_has_a_place_in_the_queue(self, user: User, errands: Errands) -> None:
        first, second = errands.submit(), errands.submit()
        places = [
            (await user.http.get(url(job_id))).json()["data"]["queue_position"]
            for job_id in (first, second)
        ]
        assert places[1] == places[0] + 1

    @pytest.mark.parametrize("what", ["", "/events"])
    async def test_of_a_stranger_looks_absent(
        self, errands: Errands, sign_up: Any, what: str
    ) -> None:
        stranger = await sign_up()
        absent = await stranger.http.get(url(uuid4(), what))
        foreign = await stranger.http.get(url(errands.done(), what))
        assert absent.status_code == foreign.status_code == 404
        bodies = [{**answer.json(), "request_id": ""} for answer in (absent, foreign)]
        assert bodies[0] == bodies[1]
        assert bodies[0]["error_code"] == "JOB_NOT_FOUND"

    async def test_gives_a_large_result_whole_here_alone(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.submit()
        errands.succeed(errands.claim(job_id), text="x" * 300_000)
        read = (await user.http.get(url(job_id))).json()["data"]
        assert len(read["result"]["text"]) == 300_000
        [listed] = (await user.http.get(JOBS)).json()["data"]
        assert listed["result"] is None
        assert listed["result_size_bytes"] == read["result_size_bytes"] > 300_000


class TestETag:
    async def test_names_status_and_newest_event(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        assert await _etag(user, job_id) == '"queued-1"'
        claimed = errands.claim(job_id)
        assert await _etag(user, job_id) == '"running-2"'
        errands.report(claimed, 0.5)
        assert await _etag(user, job_id) == '"running-3"'

    async def test_lets_the_estimate_change(self, user: User, errands: Errands) -> None:
        """`running_s` and with it `eta_s` go on; status and log do not."""
        job_id = errands.submit()
        errands.report(errands.claim(job_id), 0.5)
        tag = await _etag(user, job_id)
        with errands.lab.stores.sql() as connection:
            connection.execute(
                "UPDATE job_attempts SET started_at = now() - interval '1 hour' WHERE job_id = %s",
                (job_id,),
            )
        job = (await user.http.get(url(job_id))).json()["data"]
        assert job["eta_s"] == pytest.approx(3600, abs=30)
        assert await _etag(user, job_id) == tag

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a",W/{} , "b"', "*"])
    async def test_that_is_known_saves_the_body(
        self, user: User, errands: Errands, form: str
    ) -> None:
        job_id = errands.done()
        tag = await _etag(user, job_id)
        answer = await user.http.get(url(job_id), headers={"If-None-Match": form.format(tag)})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag

    async def test_may_come_in_several_lines(self, user: User, errands: Errands) -> None:
        job_id = errands.done()
        lines = [("If-None-Match", '"a"'), ("If-None-Match", await _etag(user, job_id))]
        assert (await user.http.get(url(job_id), headers=lines)).status_code == 304

    @pytest.mark.parametrize("tag", ['"queued-1"', '"succeeded-6', "succeeded-6", "", '"*"'])
    async def test_that_is_not_known_saves_nothing(
        self, user: User, errands: Errands, tag: str
    ) -> None:
        answer = await user.http.get(url(errands.done()), headers={"If-None-Match": tag})
        assert answer.status_code == 200

    async def test_of_a_strangers_job_says_nothing(self, errands: Errands, sign_up: Any) -> None:
        stranger = await sign_up()
        path = url(errands.done())
        answer = await stranger.http.get(path, headers={"If-None-Match": "*"})
        assert answer.status_code == 404


async def _etag(user: User, job_id: UUID) -> str:
    return str((await user.http.get(url(job_id))).headers["etag"])


class TestPages:
    async def test_are_newest_first(self, user: User, errands: Errands) -> None:
        made = [errands.submit() for _ in range(3)]
        assert await ids(user) == made[::-1]
        assert await ids(user, "?sort=-created_at") == made[::-1]
        assert await ids(user, "?sort=created_at") == made

    async def test_say_where_they_are(self, user: User, errands: Errands) -> None:
        made = [errands.submit() for _ in range(5)]
        answer = await user.http.get(f"{JOBS}?page=2&page_size=2&sort=created_at")
        page = answer.json()
        assert [UUID(job["id"]) for job in page.pop("data")] == made[2:4]
        assert page == {"total": 5, "page": 2, "page_size": 2}
        assert await ids(user, "?page=4&page_size=2") == []

    async def test_hold_fifty_unless_asked(self, user: User, errands: Errands) -> None:
        for _ in range(51):
            errands.submit()
        assert len(await ids(user)) == 50
        assert len(await ids(user, "?page_size=200")) == 51

    async def test_show_ones_own_jobs_alone(self, errands: Errands, sign_up: Any) -> None:
        errands.submit()
        stranger = await sign_up()
        assert (await stranger.http.get(JOBS)).json()["total"] == 0

    async def test_filter_by_kind_status_and_tag(self, user: User, errands: Errands) -> None:
        done = errands.done(tags=["trip:1", "b"])
        dull = errands.submit(DULL_ERRAND, tags=["trip:1"])
        waiting = errands.submit(tags=["b"])
        for query, found in {
            "?kind=errand": [waiting, done],
            "?kind=dull_errand": [dull],
            "?kind=nothing_of_the_sort": [],
            "?status=succeeded": [done],
            "?status=queued": [waiting, dull],
            "?status=waiting": [],
            "?tag=trip:1": [dull, done],
            "?tag=trip": [],
            "?tag=b&status=queued&kind=errand": [waiting],
        }.items():
            assert await ids(user, query) == found, query
            total = (await user.http.get(f"{JOBS}{query}")).json()["total"]
            assert total == len(found), query

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("page=0", "page"),
            ("page=x", "page"),
            ("page_size=0", "page_size"),
            ("page_size=201", "page_size"),
            ("status=done", "status"),
            ("sort=kind", "sort"),
            ("tag=" + "x" * 101, "tag"),
        ],
    )
    async def test_refuse_what_makes_no_sense(self, user: User, query: str, field: str) -> None:
        answer = await user.http.get(f"{JOBS}?{query}")
        assert answer.status_code == 422
        assert list(answer.json()["field_errors"]) == [field]

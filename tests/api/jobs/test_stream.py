"""The event stream of one job: its frames, and how a client resumes."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.jobs import repair
from tests import sse
from tests.conftest import User
from tests.errands import Errands, url
from tests.lab import DAYS
from tests.sse import numbered


async def read(
    user: User, job_id: UUID, query: str = "", *, last_event_id: str | None = None
) -> list[sse.Frame]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    return await sse.whole(user.http, url(job_id, f"/events{query}"), headers=headers)


async def job_of(user: User, job_id: UUID) -> Any:
    return (await user.http.get(url(job_id))).json()["data"]


class TestTheSnapshot:
    async def test_comes_first_without_an_id(self, user: User, errands: Errands) -> None:
        job_id = errands.done()
        first, *_ = await read(user, job_id)
        assert (first.event, first.id) == ("job.snapshot", None)
        assert first.data == await job_of(user, job_id)

    async def test_says_which_event_is_the_newest(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        errands.claim(job_id)
        async with sse.following(user.http, url(job_id, "/events")) as frames:
            snapshot = await anext(frames)
            replayed = [await anext(frames) for _ in range(snapshot.data["seq"])]
        assert replayed[-1].seq == snapshot.data["seq"] == 2

    async def test_comes_first_on_every_connection(self, user: User, errands: Errands) -> None:
        first, *rest = await read(user, errands.done(), last_event_id="3")
        assert first.event == "job.snapshot"
        assert all(frame.event != "job.snapshot" for frame in rest)


class TestTheLog:
    async def test_has_numbers_without_a_gap(self, user: User, errands: Errands) -> None:
        found = numbered(await read(user, errands.done(reports=5)))
        assert [frame.id for frame in found] == [str(n) for n in range(1, 9)]
        assert [frame.event for frame in found] == [
            *("job.queued", "job.started"),
            *["job.progress"] * 5,
            "job.succeeded",
        ]

    async def test_is_one_line_each_that_repeats_job_and_number(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.done()
        for frame in numbered(await read(user, job_id)):
            assert len(frame.lines) == 1
            assert (frame.data["job_id"], frame.data["seq"]) == (str(job_id), frame.seq)
            assert frame.data["at"].endswith("Z")

    async def test_tells_each_event_its_own_way(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        errands.err(errands.claim(job_id), retryable=True)
        claimed = errands.claim(job_id, attempt=1)
        errands.report(claimed, 0.5, best=[1, 2])
        errands.succeed(claimed)
        found = numbered(await read(user, job_id))
        own = [
            {name: value for name, value in frame.data.items() if name not in ("job_id", "seq")}
            for frame in found
        ]
        assert [(frame.event, sorted(data)) for frame, data in zip(found, own, strict=True)] == [
            ("job.queued", ["at", "eta_s", "queue_position", "starts_in_s"]),
            ("job.started", ["at", "attempt"]),
            ("job.retrying", ["at", "attempt", "error", "next_attempt_at"]),
            ("job.started", ["at", "attempt"]),
            ("job.progress", ["at", "progress"]),
            ("job.succeeded", ["at", "job"]),
        ]
        assert own[0]["queue_position"] >= 1
        assert [own[n]["attempt"] for n in (1, 2, 3)] == [1, 1, 2]
        assert own[2]["next_attempt_at"].endswith("Z")
        assert (own[2]["error"]["error_code"], own[2]["error"]["retryable"]) == (
            *("ROAD_CLOSED", True),
        )
        assert own[4]["progress"]["data"] == {"best": [1, 2]}

    @pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "expired"])
    async def test_ends_with_the_whole_job_and_the_stream_with_it(
        self, user: User, errands: Errands, status: str
    ) -> None:
        job_id = _ended(errands, status)
        last = (await read(user, job_id))[-1]
        job = await job_of(user, job_id)
        assert (last.event, last.data["job"]) == (f"job.{status}", job)
        assert (job["status"], job["seq"]) == (status, last.seq)

    async def test_leaves_large_inputs_and_results_out(self, user: User, errands: Errands) -> None:
        job_id = errands.submit(what="x" * 65_536)
        errands.succeed(errands.claim(job_id), text="y" * 262_144)
        first, *_, last = await read(user, job_id)
        for job in (first.data, last.data["job"]):
            assert (job["input"], job["result"]) == (None, None)
            assert job["input_size_bytes"] > 65_536
            assert job["result_size_bytes"] > 262_144
        assert len((await job_of(user, job_id))["result"]["text"]) == 262_144

    async def test_says_any_text_as_it_is(self, user: User, errands: Errands) -> None:
        text = "line\nbreak\r\n: ping\n\nid: 9\u2028\u0085 Wagga Wagga 🚐"
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        errands.report(claimed, 0.5, text=text)
        errands.succeed(claimed)
        found = numbered(await read(user, job_id))
        assert found[2].data["progress"]["data"]["text"] == text
        assert [frame.seq for frame in found] == [1, 2, 3, 4]


def _ended(errands: Errands, status: str) -> UUID:
    if status == "succeeded":
        return errands.done()
    job_id = errands.submit(start_within_s=60)
    if status == "expired":
        errands.lab.past(job_id, start_by=1)
        errands.lab.as_engine(repair.end_overdue(keep_days=DAYS))
    elif status == "failed":
        errands.err(errands.claim(job_id), retryable=False)
    else:
        errands.stop(errands.claim(job_id))
    return job_id


class TestResuming:
    @pytest.mark.parametrize("seen", range(6))
    async def test_gets_exactly_the_rest(self, user: User, errands: Errands, seen: int) -> None:
        job_id = errands.done()  # six events
        rest = list(range(seen + 1, 7))
        by_header = await read(user, job_id, last_event_id=str(seen))
        by_query = await read(user, job_id, f"?starting_after={seen}")
        for found in (by_header, by_query):
            assert [frame.seq for frame in numbered(found)] == rest

    async def test_believes_the_header_before_the_query(self, user: User, errands: Errands) -> None:
        """EventSource repeats the address it was given, and says in the header how far it got."""
        found = await read(user, errands.done(), "?starting_after=1", last_event_id="4")
        assert [frame.seq for frame in numbered(found)] == [5, 6]

    @pytest.mark.parametrize("seen", ["6", "7", "999999999"])
    async def test_after_the_end_is_204(self, user: User, errands: Errands, seen: str) -> None:
        path = url(errands.done(), "/events")
        by_header = await user.http.get(path, headers={"Last-Event-ID": seen})
        by_query = await user.http.get(f"{path}?starting_after={seen}")
        for answer in (by_header, by_query):
            assert (answer.status_code, answer.content) == (204, b"")

    async def test_from_a_number_that_is_not_there_yet_still_sees_the_end(
        self, user: User, errands: Errands
    ) -> None:
        """A client of a database that was restored must not wait for ever."""
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        path = url(job_id, "/events")
        async with sse.following(user.http, f"{path}?starting_after=99") as frames:
            assert (await anext(frames)).data["seq"] == 2
            errands.succeed(claimed)
            errands.hint(job_id)
            assert [frame.event async for frame in frames] == ["job.succeeded"]

    @pytest.mark.parametrize("seen", ["abc", "-1", "+1", "1.5", "1e3", "0x1", "9" * 30, "²", "٣"])
    async def test_from_what_is_no_number_is_refused(
        self, user: User, errands: Errands, seen: str
    ) -> None:
        path = url(errands.done(), "/events")
        _refused(await user.http.get(path, params={"starting_after": seen}), "starting_after")
        headers = {b"Last-Event-ID": seen.encode()}
        _refused(await user.http.get(path, headers=headers), "Last-Event-ID")


def _refused(answer: httpx2.Response, field: str) -> None:
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(answer.json()["field_errors"]) == [field]


class TestTheDoor:
    async def test_is_shut_for_the_anonymous(self, http: httpx2.AsyncClient) -> None:
        answer = await http.get(url("01990000-0000-7000-8000-000000000000", "/events"))
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_lets_nothing_stand_between(self, user: User, errands: Errands) -> None:
        """Proxies that buffer or cache would hold the events back."""
        async with user.http.stream("GET", url(errands.done(), "/events")) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] in ("no-cache", "no-store")
            assert answer.headers["x-accel-buffering"] == "no"
            assert "content-length" not in answer.headers

    async def test_knows_the_path_with_the_users_id(self, user: User, errands: Errands) -> None:
        job_id = errands.done()
        found = await sse.whole(user.http, f"/api/v1/users/{user.id}/jobs/{job_id}/events")
        assert json.loads(found[-1].lines[0])["job"]["status"] == "succeeded"


class TestManyWhoAskAtOnce:
    async def test_are_served_by_few_queries_and_a_stranger_by_none(
        self, user: User, errands: Errands, sign_up: Any
    ) -> None:
        """One query may look for several people; what it finds is each owner's alone."""
        stranger = await sign_up()
        path = url(errands.done(), "/events")
        asking = [user, stranger] * 10
        answers = await asyncio.gather(*(one.http.get(path) for one in asking))
        assert [one.status_code for one in answers] == [200, 404] * 10
        assert len({one.text.count("event: job.succeeded") for one in answers[::2]}) == 1

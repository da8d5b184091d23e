"""Plans through the API with a real worker: their quality, and what their owner may ask."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests import sse
from tests.conftest import User
from tests.stack import Child
from tests.tasks.plan_route import instances

ROUTES = "/api/v1/routes"
#: Large enough that no engine proves its plan optimal before its budget is over.
LONG = "n200w40.001.txt"


async def planned(user: User, body: dict[str, Any]) -> Any:
    """The job, posted and awaited, then read whole."""
    answer = await user.http.post(ROUTES, json=body, headers={"Prefer": "wait=25"})
    assert answer.status_code == 202, answer.text
    job = (await user.http.get(answer.headers["location"])).json()["data"]
    assert job["status"] == "succeeded", job["error"]
    return job


async def until_event(user: User, job: Any, name: str) -> sse.Frame:
    """Follow a job up to the first event of this name."""
    async with sse.following(user.http, job["links"]["events"]) as frames:
        async for frame in frames:
            if frame.event == name:
                return frame
    raise AssertionError(f"no {name}")


class TestQuality:
    @pytest.mark.parametrize("name", instances.ordering_names())
    async def test_of_an_order_is_half_a_percent_in_half_a_second(
        self, user: User, compute_worker: Child, name: str
    ) -> None:
        job = await planned(user, instances.ordering_request(name, budget_s=0.5))
        plan = job["result"]
        assert plan["totals"]["driving_s"] <= instances.OPTIMA[name] * 1.005
        assert plan["violations"] == []
        stops = [stop["id"] for stop in job["input"]["stops"]]
        assert sorted(visit["stop_id"] for visit in plan["visits"]) == sorted(stops)

    @pytest.mark.parametrize("name", instances.windowed_names())
    async def test_with_windows_is_one_percent_in_two_seconds(
        self, user: User, compute_worker: Child, name: str
    ) -> None:
        plan = (await planned(user, instances.windowed_request(name, budget_s=2)))["result"]
        assert plan["violations"] == []
        assert plan["skipped"] == []
        assert plan["totals"]["driving_s"] <= instances.windowed(name).best * 1.01


class TestOrders:
    async def test_a_running_plan_is_cancelled_within_two_seconds(
        self, user: User, compute_worker: Child
    ) -> None:
        body = instances.windowed_request(LONG, budget_s=60)
        job = (await user.http.post(ROUTES, json=body)).json()["data"]
        await until_event(user, job, "job.progress")
        began = time.monotonic()
        answer = await user.http.post(job["links"]["cancel"])
        assert answer.json()["data"]["status"] == "running"
        last = (await sse.whole(user.http, job["links"]["events"]))[-1]
        assert time.monotonic() - began < 2
        assert (last.event, last.data["job"]["result"]) == ("job.cancelled", None)

    async def test_a_running_plan_is_finished_with_the_best_so_far(
        self, user: User, compute_worker: Child
    ) -> None:
        body = instances.windowed_request(LONG, budget_s=60)
        job = (await user.http.post(ROUTES, json=body)).json()["data"]
        await until_event(user, job, "job.progress")
        began = time.monotonic()
        assert (await user.http.post(f"{job['links']['self']}/finish")).status_code == 202
        last = (await sse.whole(user.http, job["links"]["events"]))[-1]
        assert time.monotonic() - began < 3
        assert last.event == "job.succeeded"
        read = (await user.http.get(job["links"]["self"])).json()["data"]
        assert len(read["result"]["visits"]) >= len(body["stops"])

    async def test_a_queued_plan_is_finished_as_soon_as_it_has_begun(
        self, user: User, compute_worker: Child
    ) -> None:
        body = instances.windowed_request(LONG, budget_s=60)
        compute_worker.signal_group(signal.SIGSTOP)
        try:
            job = (await user.http.post(ROUTES, json=body)).json()["data"]
            answer = await user.http.post(f"{job['links']['self']}/finish")
            assert (answer.status_code, answer.json()["data"]["status"]) == (202, "queued")
        finally:
            compute_worker.signal_group(signal.SIGCONT)
        began = time.monotonic()
        last = (await sse.whole(user.http, job["links"]["events"]))[-1]
        assert (last.event, time.monotonic() - began < 6) == ("job.succeeded", True)

    async def test_a_deadline_fails_a_plan_for_good(
        self, user: User, compute_worker: Child
    ) -> None:
        body = instances.windowed_request(LONG, budget_s=60)
        headers = {"Cancel-After": "2", "Prefer": "wait=10"}
        began = time.monotonic()
        job = (await user.http.post(ROUTES, json=body, headers=headers)).json()["data"]
        assert time.monotonic() - began < 6
        assert (job["status"], job["error"]["error_code"]) == ("failed", "DEADLINE_EXCEEDED")
        assert job["error"]["retryable"] is False

    async def test_progress_carries_better_and_better_plans(
        self, user: User, compute_worker: Child
    ) -> None:
        body = instances.windowed_request(LONG, budget_s=3)
        job = (await user.http.post(ROUTES, json=body)).json()["data"]
        found = await sse.whole(user.http, job["links"]["events"])
        progress = [frame.data["progress"] for frame in found if frame.event == "job.progress"]
        fractions = [each["fraction"] for each in progress]
        assert len(progress) > 3
        assert fractions == sorted(fractions)
        assert any(each["data"] for each in progress)
        times = [frame.data["at"] for frame in found if frame.event == "job.progress"]
        assert len(times) <= 5 * 3 + 5  # at most five a second

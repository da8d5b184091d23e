"""Accepting work over HTTP: the 202, the headers of a submit, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.conftest import User
from tests.errands import url
from tests.tasks.plan_route.bodies import body, stop
from tests.tasks.plan_route.instances import tsplib

pytestmark = pytest.mark.usefixtures("held")

ROUTES = "/api/v1/routes"
TWO_STOPS = {**body(stop("a"), stop("b")), "tags": ["trip:1"]}
FIELDS = {
    *("id", "kind", "status", "progress", "input", "result", "error", "seq", "attempt"),
    *("max_attempts", "queue_position", "eta_s", "artifacts", "tags", "created_at", "started_at"),
    *("starts_in_s", "finished_at", "expires_at", "deadline_at", "start_by", "cancel_requested_at"),
    *("superseded_by", "retry_of", "parent_id", "children", "links"),
    *("input_size_bytes", "result_size_bytes"),
}


async def post(user: User, content: Any = None, **headers: str) -> httpx2.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await user.http.post(ROUTES, json=content or TWO_STOPS, headers=names)


def refused(answer: httpx2.Response, field: str) -> None:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(answer.json()["field_errors"]) == [field]


class TestTheAnswer:
    async def test_has_every_field_of_the_contract(self, user: User) -> None:
        answer = await post(user)
        assert answer.status_code == 202
        assert set(answer.json()) == {"data"}
        job = answer.json()["data"]
        assert set(job) == FIELDS
        assert UUID(job["id"]).version == 7
        assert (job["kind"], job["status"], job["seq"], job["attempt"], job["max_attempts"]) == (
            *("plan_route", "queued", 1, 0, 3),
        )
        assert (job["tags"], job["artifacts"], job["result"], job["error"]) == (
            *(["trip:1"], [], None, None),
        )
        assert job["links"] == {
            "self": url(job["id"]),
            "events": url(job["id"], "/events"),
            "cancel": url(job["id"], "/cancel"),
        }
        assert job["queue_position"] >= 1

    async def test_says_where_to_go_and_when(self, user: User) -> None:
        answer = await post(user)
        assert answer.headers["location"] == url(answer.json()["data"]["id"])
        assert answer.headers["etag"] == '"queued-1"'
        assert int(answer.headers["retry-after"]) >= 1
        assert (await user.http.get(answer.headers["location"])).status_code == 200

    async def test_repeats_the_input_with_its_defaults(self, user: User) -> None:
        job = (await post(user)).json()["data"]
        assert [each["id"] for each in job["input"]["stops"]] == ["a", "b"]
        assert job["input"]["seed"] == 1

    async def test_times_end_in_z(self, user: User) -> None:
        job = (await post(user, Cancel_After="90")).json()["data"]
        for name in ("created_at", "deadline_at"):
            assert job[name].endswith("Z")
            assert datetime.fromisoformat(job[name]).utcoffset() == timedelta(0)

    async def test_leaves_a_large_input_out(self, user: User) -> None:
        """gr96 with its own matrix is 80 kB: whole in GET alone, with its size everywhere."""
        table = tsplib("gr96.tsp")
        large = {**body(*(stop(f"s{n}") for n in range(95))), "budget_s": 0.05}
        large["matrix"] = {"durations_s": table, "distances_m": table}
        job = (await post(user, large)).json()["data"]
        assert job["input"] is None
        assert job["input_size_bytes"] > 64 * 1024
        [listed] = (await user.http.get("/api/v1/jobs")).json()["data"]
        assert (listed["input"], listed["input_size_bytes"]) == (None, job["input_size_bytes"])
        read = (await user.http.get(job["links"]["self"])).json()["data"]
        assert read["input"]["matrix"]["durations_s"] == table
        cancelled = await user.http.post(job["links"]["cancel"])
        assert cancelled.json()["data"]["input"] is None

    async def test_an_unknown_field_is_refused(self, user: User) -> None:
        refused(await post(user, {**TWO_STOPS, "colour": "red"}), "colour")

    async def test_an_unknown_query_is_of_no_interest(self, user: User) -> None:
        answer = await user.http.post(f"{ROUTES}?utm_source=mail", json=TWO_STOPS)
        assert answer.status_code == 202

    async def test_the_path_with_the_users_id_is_the_same(self, user: User) -> None:
        answer = await user.http.post(f"/api/v1/users/{user.id}/routes", json=TWO_STOPS)
        assert answer.status_code == 202
        assert answer.headers["location"] == url(answer.json()["data"]["id"])


class TestTerms:
    async def test_cancel_after_is_a_deadline(self, user: User) -> None:
        job = (await post(user, Cancel_After="90")).json()["data"]
        assert _seconds(job, "created_at", "deadline_at") == 90
        assert job["start_by"] is None

    async def test_queue_ttl_is_a_time_to_start_by(self, user: User) -> None:
        job = (await post(user, X_Queue_TTL="0.5")).json()["data"]
        assert _seconds(job, "created_at", "start_by") == 0.5
        assert job["deadline_at"] is None

    @pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e9", "1m", "", "٣٣٣s"])
    @pytest.mark.parametrize("name", ["Cancel-After", "X-Queue-TTL"])
    async def test_anything_else_is_refused(self, user: User, name: str, value: str) -> None:
        headers = {name.encode(): value.encode()}
        refused(await user.http.post(ROUTES, json=TWO_STOPS, headers=headers), name)
        assert (await user.http.get("/api/v1/jobs")).json()["total"] == 0

    async def test_wrong_headers_and_fields_are_named_together(self, user: User) -> None:
        answer = await post(user, {**TWO_STOPS, "colour": 1}, Cancel_After="x", X_Queue_TTL="0")
        assert set(answer.json()["field_errors"]) == {"colour", "Cancel-After", "X-Queue-TTL"}


def _seconds(job: dict[str, Any], start: str, end: str) -> float:
    taken = datetime.fromisoformat(job[end]) - datetime.fromisoformat(job[start])
    return taken.total_seconds()

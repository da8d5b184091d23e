"""Many jobs in one request over HTTP: all accepted, or none, and every fault by its place."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from api.door import MEGABYTE, body_limit
from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.errands import url
from tests.stack import Child
from tests.tasks.plan_route.bodies import body, stop
from tests.trips import Trips

BATCH = "/api/v1/jobs:batch"
TWO_STOPS = body(stop("a"), stop("b"))
Json = dict[str, Any]


def plan(input_: Json = TWO_STOPS, **more: Any) -> Json:
    return {"kind": "plan_route", "input": input_, **more}


async def post(user: User, *jobs: Json, **headers: str) -> httpx2.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await user.http.post(BATCH, json={"jobs": jobs}, headers=names)


async def jobs_of(user: User) -> int:
    total: int = (await user.http.get("/api/v1/jobs")).json()["total"]
    return total


class TestABatch:
    async def test_answers_with_its_jobs_in_their_order(self, user: User) -> None:
        inputs = [{**TWO_STOPS, "seed": seed, "tags": [f"s{seed}"]} for seed in (3, 1, 2)]
        answer = await post(user, *(plan(each, tags=["all"]) for each in inputs))
        assert answer.status_code == 202, answer.text
        page = answer.json()
        assert (page["total"], page["page"], page["page_size"]) == (3, 1, 3)
        assert [job["input"]["seed"] for job in page["data"]] == [3, 1, 2]
        assert [job["tags"] for job in page["data"]] == [
            ["s3", "all"],
            ["s1", "all"],
            ["s2", "all"],
        ]
        assert answer.headers["retry-after"] == "1"
        assert "location" not in answer.headers
        read = (await user.http.get(url(page["data"][0]["id"]))).json()["data"]
        alone = (await user.http.post("/api/v1/routes", json=inputs[0])).json()["data"]
        assert read["input"] == alone["input"]

    async def test_takes_a_hundred_and_no_more(self, user: User) -> None:
        answer = await post(user, *(plan() for _ in range(100)))
        assert answer.status_code == 202
        assert (answer.json()["total"], await jobs_of(user)) == (100, 100)
        for number in (0, 101):
            refused = await post(user, *(plan() for _ in range(number)))
            assert refused.status_code == 422
            assert list(refused.json()["field_errors"]) == ["jobs"]

    async def test_has_the_terms_of_its_headers(self, user: User) -> None:
        answer = await post(user, plan(), plan(), Cancel_After="90", X_Queue_TTL="30")
        for job in answer.json()["data"]:
            assert job["deadline_at"] is not None
            assert job["start_by"] is not None

    async def test_may_be_waited_for(self, user: User, compute_worker: Child) -> None:
        answer = await post(user, plan(), plan(), plan(), Prefer="wait=25")
        assert [job["status"] for job in answer.json()["data"]] == ["succeeded"] * 3
        assert answer.headers["preference-applied"] == "wait=25"
        assert "retry-after" not in answer.headers

    async def test_is_worth_as_many_submits_as_it_has_jobs(
        self, user: User, make_app: MakeApp, running: Running
    ) -> None:
        async with running(make_app(rate_limits=True)) as http:
            http.headers["Authorization"] = user.http.headers["Authorization"]
            answer = await http.post(BATCH, json={"jobs": [plan()] * 5})
        assert answer.headers["ratelimit"].startswith('"submits";r=595;')

    async def test_may_be_as_large_as_a_route(self) -> None:
        for path in (BATCH, "/api/v1/users/0199a000-0000-7000-8000-000000000000/jobs:batch"):
            assert body_limit("POST", path) == 16 * MEGABYTE
        assert body_limit("POST", "/api/v1/jobs:batches") == MEGABYTE


class TestWhatIsWrong:
    async def test_is_named_by_its_place_and_all_at_once(self, user: User) -> None:
        bad = {**body(stop("a"), {**stop("b"), "lat": 91}), "colour": 1}
        answer = await post(
            user,
            plan(),
            plan(bad),
            plan(tags=[""]),
            plan(colour="red"),
            {"kind": "fly", "input": 1},
        )
        assert answer.status_code == 422, answer.text
        assert set(answer.json()["field_errors"]) == {
            "jobs.1.input.stops.1.lat",
            "jobs.1.input.colour",
            "jobs.2.tags.0",
            "jobs.3.colour",
            "jobs.4.kind",
        }
        assert await jobs_of(user) == 0

    @pytest.mark.parametrize("job", [{}, {"kind": "plan_route"}, {"input": TWO_STOPS}, 1, None])
    async def test_is_a_job_without_its_parts(self, user: User, job: Any) -> None:
        answer = await post(user, plan(), job)
        assert answer.status_code == 422
        assert all(name.startswith("jobs.1") for name in answer.json()["field_errors"])
        assert await jobs_of(user) == 0

    async def test_is_more_than_the_quota_holds(
        self, user: User, make_app: MakeApp, running: Running
    ) -> None:
        app = make_app(rate_limits=True, max_unfinished_jobs=3)
        async with running(app) as http:
            http.headers["Authorization"] = user.http.headers["Authorization"]
            refused = await http.post(BATCH, json={"jobs": [plan()] * 4})
            assert (refused.status_code, refused.json()["error_code"]) == (429, "TOO_MANY_JOBS")
            assert int(refused.headers["retry-after"]) >= 1
            assert await jobs_of(user) == 0
            assert (await http.post(BATCH, json={"jobs": [plan()] * 3})).status_code == 202


class TestTrips:
    async def test_are_planned_as_by_their_route(self, user: User) -> None:
        trip_id = await Trips(user).make_plannable("Taree", "Gosford")
        answer = await post(user, plan(), plan({"trip_id": trip_id, "budget_s": 1}))
        assert answer.status_code == 202, answer.text
        job = answer.json()["data"][1]
        assert job["tags"] == [f"trip:{trip_id}"]
        assert [each["name"] for each in job["input"]["stops"]] == ["Taree", "Gosford"]
        assert (job["input"]["trip_version"], job["input"]["budget_s"]) == (2, 1)

    async def test_that_lack_something_are_named_by_their_place(self, user: User) -> None:
        trips = Trips(user)
        bare, dateless = await trips.make(), await trips.make("Taree", "Gosford")
        answer = await post(user, plan({"trip_id": bare}), plan(), plan({"trip_id": dateless}))
        assert answer.status_code == 422
        assert set(answer.json()["field_errors"]) == {
            "jobs.0.input.start",
            "jobs.0.input.stops",
            "jobs.0.input.depart_at",
            "jobs.2.input.start",
            "jobs.2.input.depart_at",
        }
        assert await jobs_of(user) == 0

    async def test_of_others_look_absent(self, user: User, sign_up: Any) -> None:
        trip_id = await Trips(await sign_up()).make_plannable("Taree", "Gosford")
        answer = await post(user, plan(), plan({"trip_id": trip_id}))
        assert (answer.status_code, answer.json()["error_code"]) == (404, "TRIP_NOT_FOUND")
        assert answer.json()["detail"].startswith("jobs.1: ")
        assert await jobs_of(user) == 0


@pytest.mark.usefixtures("held")
class TestTheKey:
    async def test_counts_for_the_whole(self, user: User) -> None:
        answers = await asyncio.gather(
            *(post(user, plan(), plan(tags=["b"]), Idempotency_Key="k") for _ in range(8))
        )
        assert {answer.status_code for answer in answers} == {202}
        made = {tuple(job["id"] for job in answer.json()["data"]) for answer in answers}
        assert len(made) == 1
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
        assert await jobs_of(user) == 2
        other = await post(user, plan(), plan(tags=["c"]), Idempotency_Key="k")
        assert other.json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"

    async def test_replays_what_has_become_of_them(self, user: User) -> None:
        job = (await post(user, plan(), Idempotency_Key="k")).json()["data"][0]
        await user.http.post(job["links"]["cancel"])
        again = await post(user, plan(), Idempotency_Key="k")
        assert [each["status"] for each in again.json()["data"]] == ["cancelled"]

    async def test_of_a_single_submit_is_another_request(self, user: User) -> None:
        headers = {"Idempotency-Key": "k"}
        await user.http.post("/api/v1/routes", json=TWO_STOPS, headers=headers)
        answer = await post(user, plan(), Idempotency_Key="k")
        assert answer.json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"


def referred(schema: dict[str, Any]) -> set[str]:
    """Names of the components that a choice is among, however it is nested."""
    if "$ref" in schema:
        return {schema["$ref"].rpartition("/")[2]}
    return set().union(*map(referred, schema["anyOf"]))


async def test_its_description_names_the_bodies_of_each_kind(http: httpx2.AsyncClient) -> None:
    described = (await http.get("/openapi.json")).json()
    job = described["components"]["schemas"]["BatchJob"]["properties"]
    assert {"plan_route", "export_books"} <= set(job["kind"]["enum"])
    names = referred(job["input"])
    assert {"RouteRequest", "TripRequest", "ExportRequest"} <= names
    assert names <= described["components"]["schemas"].keys()

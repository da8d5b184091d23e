"""A trip given to the planner: what becomes the job's input, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.conftest import User
from tests.trips import SYDNEY, TRIPS, Trips, stop

pytestmark = pytest.mark.usefixtures("held")

Json = dict[str, Any]
ROUTES = "/api/v1/routes"


@pytest_asyncio.fixture
async def trips(user: User) -> Trips:
    return Trips(user)


async def plan(user: User, trip_id: str, **more: Any) -> httpx2.Response:
    return await user.http.post(ROUTES, json={"trip_id": trip_id, **more})


class TestTheJob:
    async def test_has_the_whole_request_as_its_input(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make_plannable(
            "Taree", "Gosford", end="any", vehicle={"speed_factor": 0.8}
        )
        answer = await plan(user, trip_id, seed=9, tags=["mine"])
        assert answer.status_code == 202, answer.text
        job = answer.json()["data"]
        given = job["input"]
        stops = await trips.stops(trip_id)
        assert [each["id"] for each in given["stops"]] == [each["id"] for each in stops]
        assert [each["name"] for each in given["stops"]] == ["Taree", "Gosford"]
        assert (given["start"], given["end"]) == (SYDNEY, "any")
        assert given["vehicle"]["speed_factor"] == 0.8
        assert given["depart_at"] == "2026-02-28T21:00:00Z"
        assert (given["seed"], given["tags"]) == (9, ["mine"])
        assert (given["trip_id"], given["trip_version"]) == (trip_id, 2)
        assert job["tags"] == ["mine", f"trip:{trip_id}"]

    async def test_is_found_by_its_trip(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make_plannable("Taree", "Gosford")
        job = (await plan(user, trip_id, tags=[f"trip:{trip_id}"])).json()["data"]
        found = (await user.http.get(f"/api/v1/jobs?tag=trip:{trip_id}")).json()
        assert [each["id"] for each in found["data"]] == [job["id"]]
        assert job["tags"] == [f"trip:{trip_id}"]

    async def test_is_retried_with_the_trip_as_it_was(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make_plannable("Taree", "Gosford")
        job = (await plan(user, trip_id)).json()["data"]
        await user.http.post(job["links"]["cancel"])
        await trips.add(trip_id, "Kempsey")
        again = await user.http.post(f"{job['links']['self']}/retry")
        assert again.status_code == 202
        assert again.json()["data"]["input"] == job["input"]

    async def test_is_the_first_one_again_for_the_same_key(self, user: User, trips: Trips) -> None:
        """Also once the trip has changed, or is gone."""
        trip_id = await trips.make_plannable("Taree", "Gosford")
        headers = {"Idempotency-Key": "k"}
        body = {"trip_id": trip_id}
        first = await user.http.post(ROUTES, json=body, headers=headers)
        await user.http.delete(f"{TRIPS}/{trip_id}")
        second = await user.http.post(ROUTES, json=body, headers=headers)
        assert second.status_code == 202
        assert second.headers["idempotent-replayed"] == "true"
        assert second.json()["data"]["id"] == first.json()["data"]["id"]
        other = await user.http.post(ROUTES, json={**body, "limits": None}, headers=headers)
        assert other.json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"


class TestRefused:
    async def test_with_stops_of_its_own(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make_plannable("Taree", "Gosford")
        answer = await plan(user, trip_id, stops=[{**stop(), "id": "a"}])
        assert answer.status_code == 422
        assert answer.json()["field_errors"].keys() == {"stops"}

    @pytest.mark.parametrize(
        ("fields", "names", "missing"),
        [
            ({}, [], {"start", "stops", "depart_at"}),
            ({"starts_on": "2026-03-01"}, ["Taree", "Gosford"], {"start"}),
            ({"start": SYDNEY}, ["Taree", "Gosford"], {"depart_at"}),
            ({"start": SYDNEY, "starts_on": "2026-03-01"}, ["Taree"], {"stops"}),
        ],
    )
    async def test_without_what_a_route_needs(
        self, fields: Json, names: list[str], missing: set[str], user: User, trips: Trips
    ) -> None:
        answer = await plan(user, await trips.make(*names, **fields))
        assert answer.status_code == 422
        assert answer.json()["field_errors"].keys() == missing
        assert (await user.http.get("/api/v1/jobs")).json()["total"] == 0

    async def test_with_a_window_that_is_over(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make_plannable("Taree")
        over = [{"start": "2025-01-01T00:00:00Z", "end": "2025-01-02T00:00:00Z"}]
        await user.http.post(f"{TRIPS}/{trip_id}/stops", json=stop(windows=over))
        answer = await plan(user, trip_id)
        assert (answer.status_code, answer.json()["error_code"]) == (422, "INFEASIBLE")
        assert answer.json()["field_errors"].keys() == {"stops.1.windows.0.end"}

    async def test_if_it_is_anothers_or_deleted(
        self, user: User, trips: Trips, sign_up: Any
    ) -> None:
        trip_id = await trips.make_plannable("Taree", "Gosford")
        stranger = await sign_up()
        foreign = await plan(stranger, trip_id)
        absent = await plan(stranger, "0199a000-0000-7000-8000-000000000000")
        await user.http.delete(f"{TRIPS}/{trip_id}")
        deleted = await plan(user, trip_id)
        for answer in (foreign, absent, deleted):
            assert answer.status_code == 404
            assert answer.json()["error_code"] == "TRIP_NOT_FOUND"
        assert (await stranger.http.get("/api/v1/jobs")).json()["total"] == 0

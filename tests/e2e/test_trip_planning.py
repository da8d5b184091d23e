"""A trip planned by a real worker: order and times arrive with the result, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from tests.conftest import User
from tests.stack import Child, Stores
from tests.trips import COAST, SYDNEY, TRIPS, Trips

ORDER = ["Kempsey", "Gosford", "Coffs Harbour", "Newcastle", "Taree"]


@pytest.fixture(autouse=True)
def empty_queue(stores: Stores) -> None:
    """Nobody waits behind what other tests have submitted and left."""
    with stores.sql() as sql:
        sql.execute("DELETE FROM jobs WHERE status = 'queued'")


@pytest_asyncio.fixture
async def trips(user: User) -> Trips:
    return Trips(user)


async def plan(user: User, trip_id: str, **more: Any) -> dict[str, Any]:
    """The job after its end."""
    body = {"trip_id": trip_id, "budget_s": 0.5, **more}
    answer = await user.http.post("/api/v1/routes", json=body, headers={"Prefer": "wait=25"})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()["data"]
    assert job["status"] == "succeeded", job
    return job


class TestAPlannedTrip:
    async def test_has_the_order_and_the_times_of_its_plan(
        self, user: User, trips: Trips, compute_worker: Child
    ) -> None:
        trip_id = await trips.make_plannable(*ORDER, end="any")
        result = (await plan(user, trip_id))["result"]
        assert (result["applied"], result["not_applied_reason"]) == (True, None)
        found = await trips.stops(trip_id)
        assert [each["name"] for each in found] == list(COAST)
        assert [
            (each["id"], each["planned_arrive_at"], each["planned_depart_at"], each["day"])
            for each in found
        ] == [
            (visit["stop_id"], visit["arrive_at"], visit["depart_at"], visit["day"])
            for visit in result["visits"]
        ]
        assert (await trips.read(trip_id))["version"] == 3

    async def test_keeps_what_the_plan_skips_behind(
        self, user: User, trips: Trips, compute_worker: Child
    ) -> None:
        trip_id = await trips.make_plannable("Taree", "Gosford", end="any")
        far = {"name": "Perth", "lat": -31.95, "lon": 115.86, "required": False, "prize": 60}
        await user.http.post(f"{TRIPS}/{trip_id}/stops", json={**far, "position": 1})
        result = (await plan(user, trip_id))["result"]
        assert len(result["skipped"]) == 1
        found = await trips.stops(trip_id)
        assert [each["name"] for each in found] == ["Gosford", "Taree", "Perth"]
        assert found[2]["planned_arrive_at"] is None

    async def test_is_planned_again_from_where_it_is(
        self, user: User, trips: Trips, compute_worker: Child
    ) -> None:
        trip_id = await trips.make_plannable(*ORDER)
        first = await plan(user, trip_id)
        again = await plan(user, trip_id)
        assert again["input"]["trip_version"] == first["input"]["trip_version"] + 1
        assert again["result"]["applied"] is True

    async def test_is_told_of_no_trip_where_none_is_named(
        self, user: User, compute_worker: Child
    ) -> None:
        stops = [{"id": name, "lat": lat, "lon": lon} for name, (lat, lon) in COAST.items()]
        body = {"start": SYDNEY, "stops": stops, "depart_at": "2026-03-01T08:00:00+11:00"}
        answer = await user.http.post("/api/v1/routes", json=body, headers={"Prefer": "wait=25"})
        result = answer.json()["data"]["result"]
        assert (result["applied"], result["not_applied_reason"]) == (None, None)


class TestATripThatChangesMeanwhile:
    """Windows on many stops keep the search going for its whole budget."""

    async def test_keeps_its_order_and_the_plan_says_so(
        self, user: User, trips: Trips, compute_worker: Child
    ) -> None:
        trip_id = await self._long_trip(user, trips)
        before = await trips.stops(trip_id)
        job = await self._running(user, trip_id)
        path = f"{TRIPS}/{trip_id}/stops/{before[0]['id']}"
        changed = await user.http.patch(path, json={"service_s": 60})
        assert changed.status_code == 200
        result = await self._result(user, job)
        assert (result["applied"], result["not_applied_reason"]) == (False, "TRIP_CHANGED")
        assert len(result["visits"]) == len(before)
        assert await trips.stops(trip_id) == [{**before[0], "service_s": 60}, *before[1:]]
        assert (await trips.read(trip_id))["version"] == 3

    async def test_even_by_going_away(
        self, user: User, trips: Trips, compute_worker: Child
    ) -> None:
        trip_id = await self._long_trip(user, trips)
        before = await trips.stops(trip_id)
        job = await self._running(user, trip_id)
        assert (await user.http.delete(f"{TRIPS}/{trip_id}")).status_code == 204
        result = await self._result(user, job)
        assert (result["applied"], result["not_applied_reason"]) == (False, "TRIP_DELETED")
        await user.http.post(f"{TRIPS}/{trip_id}/restore")
        assert await trips.stops(trip_id) == before

    async def _long_trip(self, user: User, trips: Trips) -> str:
        trip_id = await trips.make_plannable()
        week = {"start": "2026-02-28T00:00:00Z", "end": "2026-03-07T00:00:00Z"}
        stops = [
            {"lat": -30 - n * 0.37 % 3, "lon": 148 + n * 0.71 % 4, "windows": [week]}
            for n in range(40)
        ]
        answer = await user.http.post(f"{TRIPS}/{trip_id}/stops/bulk", json={"stops": stops})
        assert answer.status_code == 201, answer.text
        return trip_id

    async def _running(self, user: User, trip_id: str) -> dict[str, Any]:
        """A job that a worker has begun, two seconds from its end."""
        body = {"trip_id": trip_id, "budget_s": 2}
        job = (await user.http.post("/api/v1/routes", json=body)).json()["data"]
        while job["status"] == "queued":
            await asyncio.sleep(0.02)
            job = (await user.http.get(job["links"]["self"])).json()["data"]
        assert job["status"] == "running", job
        return dict(job)

    async def _result(self, user: User, job: dict[str, Any]) -> dict[str, Any]:
        """What came out, of a job that has not ended before now."""
        now = (await user.http.get(job["links"]["self"])).json()["data"]
        assert now["status"] == "running", now
        while now["status"] == "running":
            await asyncio.sleep(0.05)
            now = (await user.http.get(job["links"]["self"])).json()["data"]
        assert now["status"] == "succeeded", now
        return dict(now["result"])

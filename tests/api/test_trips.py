"""Trips over HTTP: made, found, changed, deleted, restored; by their owner alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.schemas.trips import TripRead
from tests.conftest import User
from tests.trips import SYDNEY, TRIPS, Trips

Json = dict[str, Any]

WHOLE = {
    "title": "Round the block",
    "start": SYDNEY,
    "end": "any",
    "starts_on": "2026-03-01",
    "zone": "Australia/Sydney",
    "vehicle": {"speed_factor": 0.9, "tank_l": "90"},
    "notes": "Take the\nkettle.",
}


@pytest_asyncio.fixture
async def trips(user: User) -> Trips:
    return Trips(user)


def fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


class TestMaking:
    async def test_needs_only_a_title(self, user: User) -> None:
        answer = await user.http.post(TRIPS, json={"title": " Up the coast "})
        trip = answer.json()["data"]
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{TRIPS}/{trip['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (trip["title"], trip["version"], trip["end"]) == ("Up the coast", 1, "start")
        assert (trip["start"], trip["limits"], trip["notes"]) == (None, None, "")

    async def test_answers_with_what_is_then_read(self, user: User) -> None:
        answer = await user.http.post(TRIPS, json=WHOLE)
        made = answer.json()["data"]
        assert (await user.http.get(answer.headers["location"])).json()["data"] == made
        assert {**made, **WHOLE, "vehicle": made["vehicle"]} == made
        assert made["vehicle"]["tank_l"] == "90"

    async def test_answers_as_described(self, user: User) -> None:
        made = (await user.http.post(TRIPS, json=WHOLE)).json()["data"]
        assert TripRead.model_validate(made).title == WHOLE["title"]
        assert made["created_at"].endswith("Z")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"title": ""}, "title"),
            ({"title": "  "}, "title"),
            ({"title": "x" * 201}, "title"),
            ({"title": None}, "title"),
            ({"start": {"lat": 91, "lon": 0}}, "start.lat"),
            ({"end": "home"}, "end"),
            ({"end": {"lat": 0}}, "end.lon"),
            ({"starts_on": "2026-02-30"}, "starts_on"),
            ({"starts_on": 1_767_225_600}, "starts_on"),
            ({"starts_on": "9999-01-01"}, "starts_on"),
            ({"zone": "Mars/Olympus"}, "zone"),
            ({"vehicle": {"speed_factor": 0}}, "vehicle.speed_factor"),
            ({"limits": {"day_start": "25:00"}}, "limits.day_start"),
            ({"notes": "x" * 20_001}, "notes"),
            ({"version": 5}, "version"),
            ({"id": "0199a000-0000-7000-8000-000000000000"}, "id"),
        ],
    )
    async def test_refuses_what_no_route_could_hold(
        self, change: Json, field: str, user: User
    ) -> None:
        assert fields(await user.http.post(TRIPS, json={**WHOLE, **change})) == {field}

    async def test_twice_with_a_key_makes_one(self, user: User) -> None:
        headers = {"Idempotency-Key": "k"}
        first = await user.http.post(TRIPS, json=WHOLE, headers=headers)
        second = await user.http.post(TRIPS, json=WHOLE, headers=headers)
        assert second.status_code == 201
        assert second.json() == first.json()
        assert second.headers["location"] == first.headers["location"]
        assert "idempotent-replayed" not in first.headers
        assert second.headers["idempotent-replayed"] == "true"
        assert (await user.http.get(TRIPS)).json()["total"] == 1
        other = await user.http.post(TRIPS, json={"title": "x"}, headers=headers)
        assert (other.status_code, other.json()["error_code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


class TestTheList:
    async def test_is_newest_first_in_pages(self, user: User, trips: Trips) -> None:
        ids = [await trips.make(title=f"t{n}") for n in range(3)]
        page = (await user.http.get(f"{TRIPS}?page_size=2")).json()
        assert [trip["id"] for trip in page["data"]] == [ids[2], ids[1]]
        assert (page["total"], page["page"], page["page_size"]) == (3, 1, 2)
        page = (await user.http.get(f"{TRIPS}?page_size=2&page=2")).json()
        assert [trip["id"] for trip in page["data"]] == [ids[0]]

    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ("sort=created_at", ["B", "a 100%", "C"]),
            ("sort=-updated_at", ["B", "C", "a 100%"]),
            ("sort=starts_on", ["C", "a 100%", "B"]),
            ("sort=-starts_on", ["a 100%", "C", "B"]),
            ("title=b", ["B"]),
            ("title=%25", ["a 100%"]),
            ("starts_on=2026-01-01", ["C"]),
            ("starts_on=2020-01-01", []),
            ("deleted=true", ["gone"]),
        ],
    )
    async def test_sorts_and_filters(
        self, query: str, titles: list[str], user: User, trips: Trips
    ) -> None:
        first = await trips.make(title="B")
        await trips.make(title="a 100%", starts_on="2026-05-01")
        await trips.make(title="C", starts_on="2026-01-01")
        await user.http.delete(f"{TRIPS}/{await trips.make(title='gone')}")
        await user.http.patch(f"{TRIPS}/{first}", json={"notes": "x"})
        page = (await user.http.get(f"{TRIPS}?{query}")).json()
        assert [trip["title"] for trip in page["data"]] == titles
        assert page["total"] == len(titles)

    @pytest.mark.parametrize("query", ["sort=owner_id", "starts_on=today", "page_size=201"])
    async def test_refuses_what_it_cannot(self, query: str, user: User) -> None:
        assert fields(await user.http.get(f"{TRIPS}?{query}")) == {query.partition("=")[0]}


class TestReading:
    async def test_what_is_known_already_is_not_sent_again(self, user: User, trips: Trips) -> None:
        path = f"{TRIPS}/{await trips.make()}"
        tag = (await user.http.get(path)).headers["etag"]
        for known in (tag, f"W/{tag}", f'"0", {tag}', "*"):
            answer = await user.http.get(path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.headers["etag"], answer.text) == (304, tag, "")
        await user.http.patch(path, json={"title": "other"})
        answer = await user.http.get(path, headers={"If-None-Match": tag})
        assert answer.status_code == 200


class TestChanging:
    async def test_keeps_what_is_not_sent_and_resets_what_is_null(self, user: User) -> None:
        made = (await user.http.post(TRIPS, json=WHOLE)).json()["data"]
        patch = {"vehicle": {"tank_l": "80"}, "zone": None, "end": {"lat": 1, "lon": 2}}
        answer = await user.http.patch(f"{TRIPS}/{made['id']}", json=patch)
        trip = answer.json()["data"]
        assert answer.status_code == 200
        assert trip["vehicle"] == {**made["vehicle"], "tank_l": "80"}
        assert (trip["zone"], trip["end"]) == (None, {"name": "", "lat": 1, "lon": 2})
        assert (trip["title"], trip["starts_on"]) == (made["title"], made["starts_on"])
        assert trip["version"] == 2
        assert answer.headers["etag"] == '"2"'
        assert trip["updated_at"] > made["updated_at"]

    @pytest.mark.parametrize(
        ("patch", "field"),
        [
            ({"title": None}, "title"),
            ({"colour": "red"}, "colour"),
            ({"start": {"lat": 91}}, "start.lat"),
            ({"starts_on": "x"}, "starts_on"),
            ([], "body"),
            ("x", "body"),
        ],
    )
    async def test_is_checked_as_making_is(
        self, patch: Any, field: str, user: User, trips: Trips
    ) -> None:
        path = f"{TRIPS}/{await trips.make(start=SYDNEY)}"
        assert fields(await user.http.patch(path, json=patch)) == {field}
        assert (await user.http.get(path)).json()["data"]["version"] == 1

    async def test_to_what_it_is_makes_no_version(self, user: User) -> None:
        made = (await user.http.post(TRIPS, json=WHOLE)).json()["data"]
        answer = await user.http.patch(f"{TRIPS}/{made['id']}", json=WHOLE)
        assert answer.json()["data"] == made

    @pytest.mark.parametrize(
        ("tag", "status"),
        [('"1"', 200), ('"7", "1"', 200), ("*", 200), ('"2"', 412), ('W/"1"', 412), ("1", 412)],
    )
    async def test_may_be_bound_to_a_version(
        self, tag: str, status: int, user: User, trips: Trips
    ) -> None:
        path, headers = f"{TRIPS}/{await trips.make()}", {"If-Match": tag}
        answer = await user.http.patch(path, json={"title": "new"}, headers=headers)
        assert answer.status_code == status
        if status == 412:
            assert answer.json()["error_code"] == "PRECONDITION_FAILED"
            assert (await user.http.delete(path, headers=headers)).status_code == 412
            assert (await user.http.get(path)).json()["data"]["version"] == 1


class TestDeleting:
    async def test_hides_the_trip_with_its_stops_until_it_is_restored(
        self, user: User, trips: Trips
    ) -> None:
        trip_id = await trips.make("Taree", "Gosford")
        path = f"{TRIPS}/{trip_id}"
        assert (await user.http.delete(path)).status_code == 204
        for verb, what in [
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("GET", "/stops"),
            ("PUT", "/stop-order"),
        ]:
            body: Json = {"stop_ids": []} if verb == "PUT" else {}
            answer = await user.http.request(verb, path + what, json=body)
            assert answer.status_code == 404, (verb, what)
            assert answer.json()["error_code"] == "TRIP_NOT_FOUND"
        answer = await user.http.post(f"{path}/restore")
        assert answer.status_code == 200
        assert answer.json()["data"]["version"] == 4
        assert await trips.names(trip_id) == ["Taree", "Gosford"]

    async def test_restoring_twice_changes_nothing_more(self, user: User, trips: Trips) -> None:
        path = f"{TRIPS}/{await trips.make()}"
        first = await user.http.post(f"{path}/restore")
        assert (first.status_code, first.json()["data"]["version"]) == (200, 1)
        answer = await user.http.post(f"{TRIPS}/0199a000-0000-7000-8000-000000000000/restore")
        assert answer.status_code == 404


class TestTheDescription:
    async def test_names_the_fields_that_may_be_patched(self, http: httpx2.AsyncClient) -> None:
        schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
        patched = schemas["TripPatch"]
        assert patched["properties"].keys() == schemas["TripNew"]["properties"].keys()
        assert "required" not in patched
        assert schemas["StopPatch"]["properties"].keys() == schemas["StopNew"]["properties"].keys()

    async def test_says_where_a_version_may_be_named(self, http: httpx2.AsyncClient) -> None:
        paths = (await http.get("/openapi.json")).json()["paths"]
        guarded = {
            (verb, path.removeprefix(TRIPS))
            for path, operations in paths.items()
            if path.startswith(TRIPS)
            for verb, operation in operations.items()
            if "412" in operation["responses"]
        }
        assert guarded == {
            ("patch", "/{trip_id}"),
            ("delete", "/{trip_id}"),
            ("post", "/{trip_id}/stops"),
            ("post", "/{trip_id}/stops/bulk"),
            ("put", "/{trip_id}/stop-order"),
            ("patch", "/{trip_id}/stops/{stop_id}"),
            ("delete", "/{trip_id}/stops/{stop_id}"),
        }

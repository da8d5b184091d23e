"""Vehicles over HTTP: made, found, changed, deleted, restored; by their owner alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.schemas.vehicles import VehicleRead
from tests.conftest import User
from tests.vehicles import VEHICLES, Vehicles

Json = dict[str, Any]

WHOLE: Json = {
    "name": "Bertha",
    "kind": "motorhome",
    "make": "Fiat",
    "model": "Ducato 2.3",
    "year": 2019,
    "plate": "WW 2026",
    "fuel_type": "diesel",
    "tank_l": "90",
    "fuel_l_per_100km": "11.50",
    "height_m": "2.95",
    "length_m": "6.99",
    "width_m": "2.32",
    "weight_kg": 3500,
    "odometer_unit": "mi",
    "notes": "Left mirror\nis loose.",
}
NOBODYS = "0199a000-0000-7000-8000-000000000000"


@pytest_asyncio.fixture
async def vehicles(user: User) -> Vehicles:
    return Vehicles(user)


def fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


class TestMaking:
    async def test_needs_only_a_name(self, user: User) -> None:
        answer = await user.http.post(VEHICLES, json={"name": " Bertha "})
        vehicle = answer.json()["data"]
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{VEHICLES}/{vehicle['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (vehicle["name"], vehicle["kind"], vehicle["version"]) == ("Bertha", "other", 1)
        assert (vehicle["tank_l"], vehicle["year"], vehicle["notes"]) == (None, None, "")
        assert vehicle["odometer_unit"] == "km"

    async def test_answers_with_what_is_then_read(self, user: User) -> None:
        answer = await user.http.post(VEHICLES, json=WHOLE)
        made = answer.json()["data"]
        assert (await user.http.get(answer.headers["location"])).json()["data"] == made
        assert {**made, **WHOLE} == made
        assert VehicleRead.model_validate(made).tank_l == "90"
        assert made["created_at"].endswith("Z")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": None}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"kind": "boat"}, "kind"),
            ({"year": 1884}, "year"),
            ({"year": "2019"}, "year"),
            ({"fuel_type": "hay"}, "fuel_type"),
            ({"tank_l": 90}, "tank_l"),
            ({"tank_l": "-1"}, "tank_l"),
            ({"tank_l": "1e2"}, "tank_l"),
            ({"fuel_l_per_100km": "NaN"}, "fuel_l_per_100km"),
            ({"height_m": "2,95"}, "height_m"),
            ({"weight_kg": 0}, "weight_kg"),
            ({"weight_kg": 3.5}, "weight_kg"),
            ({"odometer_unit": "m"}, "odometer_unit"),
            ({"plate": "A\nB"}, "plate"),
            ({"notes": "x" * 20_001}, "notes"),
            ({"version": 5}, "version"),
        ],
    )
    async def test_refuses_what_no_vehicle_is(self, change: Json, field: str, user: User) -> None:
        assert fields(await user.http.post(VEHICLES, json={**WHOLE, **change})) == {field}

    async def test_names_every_wrong_field_at_once(self, user: User) -> None:
        answer = await user.http.post(VEHICLES, json={"kind": "boat", "tank_l": 1, "year": 1})
        assert fields(answer) == {"name", "kind", "tank_l", "year"}

    async def test_twice_with_a_key_makes_one(self, user: User) -> None:
        headers = {"Idempotency-Key": "k"}
        first = await user.http.post(VEHICLES, json=WHOLE, headers=headers)
        second = await user.http.post(VEHICLES, json=WHOLE, headers=headers)
        assert second.status_code == 201
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
        assert (await user.http.get(VEHICLES)).json()["total"] == 1
        other = await user.http.post(VEHICLES, json={"name": "x"}, headers=headers)
        assert other.json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"


class TestTheList:
    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("page_size=2", ["C", "a 100%"]),
            ("page_size=2&page=2", ["B"]),
            ("sort=created_at", ["B", "a 100%", "C"]),
            ("sort=-updated_at", ["B", "C", "a 100%"]),
            ("sort=year", ["C", "a 100%", "B"]),
            ("sort=-year", ["a 100%", "C", "B"]),
            ("name=b", ["B"]),
            ("name=%25", ["a 100%"]),
            ("kind=car", ["C"]),
            ("fuel_type=lpg", ["a 100%"]),
            ("fuel_type=diesel", []),
            ("deleted=true", ["gone"]),
        ],
    )
    async def test_sorts_filters_and_turns_pages(
        self, query: str, names: list[str], user: User, vehicles: Vehicles
    ) -> None:
        first = await vehicles.make(name="B")
        await vehicles.make(name="a 100%", year=2020, fuel_type="lpg")
        await vehicles.make(name="C", year=2010, kind="car")
        await user.http.delete(f"{VEHICLES}/{await vehicles.make(name='gone')}")
        await user.http.patch(f"{VEHICLES}/{first}", json={"notes": "x"})
        page = (await user.http.get(f"{VEHICLES}?{query}")).json()
        assert [vehicle["name"] for vehicle in page["data"]] == names
        assert page["total"] == (3 if "page_size" in query else len(names))

    @pytest.mark.parametrize("query", ["sort=owner_id", "kind=boat", "page_size=201"])
    async def test_refuses_what_it_cannot(self, query: str, user: User) -> None:
        assert fields(await user.http.get(f"{VEHICLES}?{query}")) == {query.partition("=")[0]}


class TestChanging:
    async def test_keeps_what_is_not_sent_and_resets_what_is_null(self, user: User) -> None:
        made = (await user.http.post(VEHICLES, json=WHOLE)).json()["data"]
        patch = {"tank_l": "80.5", "plate": None, "kind": None}
        answer = await user.http.patch(f"{VEHICLES}/{made['id']}", json=patch)
        vehicle = answer.json()["data"]
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        assert (vehicle["tank_l"], vehicle["plate"], vehicle["kind"]) == ("80.5", None, "other")
        changed = {"tank_l", "plate", "kind", "version", "updated_at"}
        assert {name for name in made if made[name] != vehicle[name]} == changed

    @pytest.mark.parametrize(
        ("patch", "field"),
        [({"name": None}, "name"), ({"colour": "red"}, "colour"), ([], "body")],
    )
    async def test_is_checked_as_making_is(
        self, patch: Any, field: str, user: User, vehicles: Vehicles
    ) -> None:
        path = f"{VEHICLES}/{await vehicles.make()}"
        assert fields(await user.http.patch(path, json=patch)) == {field}

    async def test_to_what_it_is_makes_no_version(self, user: User) -> None:
        made = (await user.http.post(VEHICLES, json=WHOLE)).json()["data"]
        answer = await user.http.patch(f"{VEHICLES}/{made['id']}", json=WHOLE)
        assert answer.json()["data"] == made

    @pytest.mark.parametrize(("tag", "status"), [('"1"', 200), ("*", 200), ('"2"', 412)])
    async def test_may_be_bound_to_a_version(
        self, tag: str, status: int, user: User, vehicles: Vehicles
    ) -> None:
        path, headers = f"{VEHICLES}/{await vehicles.make()}", {"If-Match": tag}
        answer = await user.http.patch(path, json={"name": "new"}, headers=headers)
        assert answer.status_code == status
        if status == 412:
            assert (await user.http.delete(path, headers=headers)).status_code == 412

    async def test_what_is_known_already_is_not_sent_again(
        self, user: User, vehicles: Vehicles
    ) -> None:
        path = f"{VEHICLES}/{await vehicles.make()}"
        tag = (await user.http.get(path)).headers["etag"]
        answer = await user.http.get(path, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.text) == (304, "")


class TestDeleting:
    async def test_hides_the_vehicle_until_it_is_restored(
        self, user: User, vehicles: Vehicles
    ) -> None:
        path = f"{VEHICLES}/{await vehicles.make()}"
        assert (await user.http.delete(path)).status_code == 204
        for verb in ("GET", "PATCH", "DELETE"):
            answer = await user.http.request(verb, path, json={})
            assert (answer.status_code, answer.json()["error_code"]) == (404, "VEHICLE_NOT_FOUND")
        assert (await user.http.get(VEHICLES)).json()["total"] == 0
        for _ in range(2):
            answer = await user.http.post(f"{path}/restore")
            assert (answer.status_code, answer.json()["data"]["version"]) == (200, 3)
        assert (await user.http.get(path)).json()["data"]["deleted_at"] is None
        answer = await user.http.post(f"{VEHICLES}/{NOBODYS}/restore")
        assert answer.status_code == 404

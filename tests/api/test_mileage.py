"""Mileage over HTTP: drives by odometer or distance, and sums that hold on every page."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.schemas.mileage import DrivePage, DriveRead
from tests.conftest import User
from tests.vehicles import VEHICLES, Vehicles, a_drive

Json = dict[str, Any]


@pytest_asyncio.fixture
async def vehicles(user: User) -> Vehicles:
    return Vehicles(user)


@pytest_asyncio.fixture
async def bertha(vehicles: Vehicles) -> str:
    return await vehicles.make()


def path_of(drive: Json) -> str:
    return f"{VEHICLES}/{drive['vehicle_id']}/mileage/{drive['id']}"


def fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


class TestMaking:
    async def test_answers_with_what_is_then_read(self, user: User, bertha: str) -> None:
        body = {
            "driven_on": "2026-03-01",
            "purpose": "medical",
            "start_odometer_m": 100_000,
            "end_odometer_m": 137_500,
            "from_place": "Yass",
            "to_place": "Canberra",
            "note": "Dentist.",
        }
        answer = await user.http.post(f"{VEHICLES}/{bertha}/mileage", json=body)
        made = answer.json()["data"]
        assert answer.status_code == 201
        assert answer.headers["location"] == path_of(made)
        assert answer.headers["etag"] == '"2"'
        assert {**made, **body, "distance_m": 37_500} == made
        assert (await user.http.get(path_of(made))).json()["data"] == made
        assert DriveRead.model_validate(made).distance_m == 37_500

    @pytest.mark.parametrize(
        ("change", "wrong"),
        [
            ({"driven_on": "2026-02-30"}, {"driven_on"}),
            ({"purpose": "fun"}, {"purpose"}),
            ({"distance_m": 0}, {"distance_m"}),
            ({"distance_m": None}, {"distance_m"}),
            ({"distance_m": 1.5}, {"distance_m"}),
            ({"start_odometer_m": 5}, {"end_odometer_m"}),
            ({"end_odometer_m": 5}, {"end_odometer_m"}),
            ({"start_odometer_m": 5, "end_odometer_m": 5}, {"end_odometer_m"}),
            ({"start_odometer_m": 5, "end_odometer_m": 12_004}, {"distance_m"}),
            ({"start_odometer_m": -1, "end_odometer_m": 12_004}, {"start_odometer_m"}),
            ({"purpose": None, "driven_on": None}, {"purpose", "driven_on"}),
            ({"miles": 5}, {"miles"}),
        ],
    )
    async def test_refuses_what_cannot_be(
        self, change: Json, wrong: set[str], user: User, bertha: str
    ) -> None:
        body = a_drive(**change)
        assert fields(await user.http.post(f"{VEHICLES}/{bertha}/mileage", json=body)) == wrong

    async def test_twice_with_a_key_makes_one(self, user: User, bertha: str) -> None:
        path, headers = f"{VEHICLES}/{bertha}/mileage", {"Idempotency-Key": "k"}
        first = await user.http.post(path, json=a_drive(), headers=headers)
        second = await user.http.post(path, json=a_drive(), headers=headers)
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
        assert (await user.http.get(path)).json()["total"] == 1


class TestTheList:
    @pytest.mark.parametrize(
        ("query", "metres", "sums"),
        [
            ("", [4, 2, 3, 1], {"business": 7, "charity": 1, "private": 2}),
            ("page_size=1&page=2", [2], {"business": 7, "charity": 1, "private": 2}),
            ("sort=distance_m", [1, 2, 3, 4], {"business": 7, "charity": 1, "private": 2}),
            ("purpose=business", [4, 3], {"business": 7}),
            ("from=2026-02-01&to=2026-03-31", [2, 3], {"business": 3, "private": 2}),
            ("purpose=medical", [], {}),
        ],
    )
    async def test_sums_all_that_the_filters_leave(
        self,
        query: str,
        metres: list[int],
        sums: dict[str, int],
        user: User,
        vehicles: Vehicles,
        bertha: str,
    ) -> None:
        await vehicles.drive(bertha, driven_on="2026-01-31", distance_m=1, purpose="charity")
        await vehicles.drive(bertha, driven_on="2026-02-01", distance_m=3)
        await vehicles.drive(bertha, driven_on="2026-03-30", distance_m=2, purpose="private")
        await vehicles.drive(bertha, driven_on="2026-03-31", distance_m=4)
        gone = await vehicles.drive(bertha, driven_on="2026-03-31", distance_m=99)
        await user.http.delete(path_of(gone))
        await vehicles.drive(await vehicles.make(), distance_m=99)
        page = (await user.http.get(f"{VEHICLES}/{bertha}/mileage?{query}")).json()
        assert [each["distance_m"] for each in page["data"]] == metres
        assert page["total"] == (4 if "page_size" in query else len(metres))
        totals = DrivePage.model_validate(page).totals
        assert {each.purpose: each.distance_m for each in totals.by_purpose} == sums
        assert totals.distance_m == sum(sums.values())
        assert sum(each.distance_m for each in totals.by_month) == totals.distance_m
        assert sum(each.entries for each in totals.by_month) == page["total"]

    async def test_sums_by_months(self, user: User, vehicles: Vehicles, bertha: str) -> None:
        for day in ("2026-01-31", "2026-02-01", "2026-02-28"):
            await vehicles.drive(bertha, driven_on=day)
        page = (await user.http.get(f"{VEHICLES}/{bertha}/mileage")).json()
        business = {"purpose": "business"}
        assert page["totals"]["by_month"] == [
            {"month": "2026-01-01", **business, "entries": 1, "distance_m": 12_000},
            {"month": "2026-02-01", **business, "entries": 2, "distance_m": 24_000},
        ]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("from=2026-03-02&to=2026-03-02", "to"),
            ("from=x", "from"),
            ("purpose=fun", "purpose"),
            ("sort=note", "sort"),
        ],
    )
    async def test_refuses_what_it_cannot(
        self, query: str, field: str, user: User, bertha: str
    ) -> None:
        assert fields(await user.http.get(f"{VEHICLES}/{bertha}/mileage?{query}")) == {field}


class TestChanging:
    async def test_keeps_what_is_not_sent(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        odometer = {"start_odometer_m": 5, "end_odometer_m": 9, "distance_m": None}
        made = await vehicles.drive(bertha, note="x", **odometer)
        answer = await user.http.patch(path_of(made), json={"end_odometer_m": 12})
        changed = answer.json()["data"]
        assert (changed["distance_m"], changed["note"]) == (7, "x")
        assert answer.headers["etag"] == '"3"'
        answer = await user.http.patch(path_of(made), json={"end_odometer_m": 12})
        assert (answer.json()["data"], answer.headers["etag"]) == (changed, '"3"')
        assert fields(await user.http.patch(path_of(made), json={"distance_m": 8})) == {
            "distance_m"
        }
        patch = {"start_odometer_m": None, "end_odometer_m": None, "distance_m": 8}
        answer = await user.http.patch(path_of(made), json=patch)
        assert answer.json()["data"]["distance_m"] == 8

    async def test_may_be_bound_to_a_version(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        path = path_of(await vehicles.drive(bertha))
        for verb in ("PATCH", "DELETE"):
            headers = {"If-Match": '"1"'}
            answer = await user.http.request(verb, path, json={}, headers=headers)
            assert answer.status_code == 412
        answer = await user.http.get(path, headers={"If-None-Match": '"2"'})
        assert answer.status_code == 304
        assert (await user.http.delete(path)).status_code == 204
        assert (await user.http.get(path)).json()["error_code"] == "MILEAGE_NOT_FOUND"

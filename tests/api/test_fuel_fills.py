"""Fuel fills over HTTP: prices that add up, an odometer that runs forwards, economy."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.schemas.economy import EconomyRead
from api.schemas.fuel import FillRead
from tests.conftest import User
from tests.trips import Trips
from tests.vehicles import VEHICLES, Vehicles, a_fill, aud

Json = dict[str, Any]
NOBODYS = "0199a000-0000-7000-8000-000000000000"


@pytest_asyncio.fixture
async def vehicles(user: User) -> Vehicles:
    return Vehicles(user)


@pytest_asyncio.fixture
async def bertha(vehicles: Vehicles) -> str:
    return await vehicles.make()


def path_of(fill: Json) -> str:
    return f"{VEHICLES}/{fill['vehicle_id']}/fuel-fills/{fill['id']}"


def fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


class TestMaking:
    async def test_answers_with_what_is_then_read(self, user: User, bertha: str) -> None:
        trip_id = await Trips(user).make()
        body = a_fill(
            station="Shell, Gunnedah",
            place={"name": "Gunnedah", "lat": -30.97, "lon": 150.25},
            total=aud("96.45"),
            full=False,
            trip_id=trip_id,
            note="Only half.",
        )
        answer = await user.http.post(f"{VEHICLES}/{bertha}/fuel-fills", json=body)
        made = answer.json()["data"]
        assert answer.status_code == 201
        assert answer.headers["location"] == path_of(made)
        assert answer.headers["etag"] == '"2"'
        assert {**made, **body} == made
        assert made["price_per_l"] == aud("1.9290")
        assert (made["distance_m"], made["economy"]) == (None, None)
        assert (await user.http.get(path_of(made))).json()["data"] == made
        assert FillRead.model_validate(made).odometer_m == 100_000

    @pytest.mark.parametrize(
        ("change", "wrong"),
        [
            ({"volume_l": "0"}, {"volume_l"}),
            ({"volume_l": "10000.1"}, {"volume_l"}),
            ({"volume_l": 50}, {"volume_l"}),
            ({"odometer_m": -1}, {"odometer_m"}),
            ({"odometer_m": "100"}, {"odometer_m"}),
            ({"filled_at": "2026-03-01"}, {"filled_at"}),
            ({"full": "yes"}, {"full"}),
            ({"total": {"amount": "1.001", "currency": "AUD"}}, {"total"}),
            ({"total": {"amount": "1", "currency": "XXY"}}, {"total"}),
            ({"total": {"amount": "-1", "currency": "AUD"}}, {"total.amount"}),
            ({"price_per_l": {"amount": "1.9", "currency": "aud"}}, {"price_per_l.currency"}),
            ({"price_per_l": aud("999999999")}, {"total"}),
            ({"trip_id": NOBODYS}, {"trip_id"}),
            ({"litres": "5"}, {"litres"}),
            ({"volume_l": "x", "odometer_m": None}, {"volume_l", "odometer_m"}),
        ],
    )
    async def test_refuses_what_cannot_be(
        self, change: Json, wrong: set[str], user: User, bertha: str
    ) -> None:
        body = {**a_fill(), **change}
        answer = await user.http.post(f"{VEHICLES}/{bertha}/fuel-fills", json=body)
        assert fields(answer) == wrong

    async def test_twice_with_a_key_makes_one(self, user: User, bertha: str) -> None:
        path, headers = f"{VEHICLES}/{bertha}/fuel-fills", {"Idempotency-Key": "k"}
        first = await user.http.post(path, json=a_fill(), headers=headers)
        second = await user.http.post(path, json=a_fill(), headers=headers)
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
        assert (await user.http.get(path)).json()["total"] == 1

    async def test_may_be_bound_to_a_version_of_the_vehicle(self, user: User, bertha: str) -> None:
        path = f"{VEHICLES}/{bertha}/fuel-fills"
        for tag, status in [('"1"', 201), ('"1"', 412)]:
            answer = await user.http.post(path, json=a_fill(), headers={"If-Match": tag})
            assert answer.status_code == status


class TestPrices:
    @pytest.mark.parametrize(
        ("given", "price", "total"),
        [
            ({}, None, None),
            ({"price_per_l": aud("1.929")}, aud("1.929"), aud("96.45")),
            ({"total": aud("96.5")}, aud("1.9300"), aud("96.50")),
            ({"price_per_l": aud("1.929"), "total": aud("96.46")}, aud("1.929"), aud("96.46")),
        ],
    )
    async def test_give_each_other(
        self, given: Json, price: Json, total: Json, vehicles: Vehicles, bertha: str
    ) -> None:
        made = await vehicles.fill(bertha, "1", 100, "50", **given)
        assert (made["price_per_l"], made["total"]) == (price, total)

    @pytest.mark.parametrize(
        "total", [aud("96.47"), aud("96.43"), {"amount": "96.45", "currency": "NZD"}]
    )
    async def test_that_contradict_each_other_are_refused(
        self, total: Json, vehicles: Vehicles, bertha: str
    ) -> None:
        answer = await vehicles.try_fill(
            bertha, "1", 100, "50", price_per_l=aud("1.929"), total=total
        )
        assert fields(answer) == {"total"}

    async def test_follow_what_was_written_when_it_changes(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        made = await vehicles.fill(bertha, "1", 100, "50", price_per_l=aud("2"))
        path = path_of(made)
        changed = (await user.http.patch(path, json={"volume_l": "60"})).json()["data"]
        assert (changed["price_per_l"], changed["total"]) == (aud("2"), aud("120.00"))
        answer = await user.http.patch(path, json={"total": aud("90")})
        assert fields(answer) == {"total"}
        patch = {"total": aud("90"), "price_per_l": None}
        changed = (await user.http.patch(path, json=patch)).json()["data"]
        assert (changed["price_per_l"], changed["total"]) == (aud("1.5000"), aud("90.00"))
        changed = (await user.http.patch(path, json={"total": None})).json()["data"]
        assert (changed["price_per_l"], changed["total"]) == (None, None)


class TestTheOdometer:
    async def test_does_not_run_backwards(self, vehicles: Vehicles, bertha: str) -> None:
        first = await vehicles.fill(bertha, "1", 100, "50")
        last = await vehicles.fill(bertha, "9", 900, "50")
        for day, km, other in [("5", 99.999, first), ("5", 900.001, last), ("10", 899, last)]:
            answer = await vehicles.try_fill(bertha, day, km, "50")
            assert fields(answer) == {"odometer_m"}
            assert answer.json()["error_code"] == "ODOMETER_BACKWARDS"
            assert other["id"] in answer.json()["detail"]
            assert other["filled_at"] in answer.json()["detail"]
        for day, km in [("5", 100), ("6", 899), ("9", 899)]:
            await vehicles.fill(bertha, day, km, "50")

    async def test_does_not_by_a_change_either(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        await vehicles.fill(bertha, "1", 100, "50")
        path = path_of(await vehicles.fill(bertha, "5", 500, "50"))
        await vehicles.fill(bertha, "9", 900, "50")
        for patch in (
            {"odometer_m": 99_000},
            {"odometer_m": 901_000},
            {"filled_at": "2026-02-01T00:00:00Z"},
        ):
            answer = await user.http.patch(path, json=patch)
            assert fields(answer) == {"odometer_m"}
        earlier = {"filled_at": "2026-02-01T00:00:00Z", "odometer_m": 50_000}
        assert (await user.http.patch(path, json=earlier)).status_code == 200

    async def test_may_begin_anew(self, user: User, vehicles: Vehicles, bertha: str) -> None:
        await vehicles.fill(bertha, "1", 100_000, "50")
        reset = await vehicles.fill(bertha, "5", 10, "50", odometer_reset=True)
        assert (reset["distance_m"], reset["economy"]) == (None, None)
        last = await vehicles.fill(bertha, "9", 400, "39")
        assert (last["distance_m"], last["economy"]["distance_m"]) == (390_000, 390_000)
        answer = await vehicles.try_fill(bertha, "5", 20, "1")
        assert fields(answer) == {"filled_at"}

    async def test_that_began_anew_is_not_forgotten(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        await vehicles.fill(bertha, "1", 100_000, "50")
        reset = path_of(await vehicles.fill(bertha, "5", 10, "50", odometer_reset=True))
        last = path_of(await vehicles.fill(bertha, "9", 400, "39"))
        away = {"filled_at": "2026-03-20T00:00:00Z"}
        for verb, body in [("DELETE", None), ("PATCH", away)]:
            answer = await user.http.request(verb, reset, json=body)
            assert answer.status_code == 409
            assert answer.json()["error_code"] == "ODOMETER_RESET_NEEDED"
        assert fields(await user.http.patch(reset, json={"odometer_reset": False})) == {
            "odometer_m"
        }
        assert (await user.http.patch(reset, json={"note": "new dash"})).status_code == 200
        assert (await user.http.patch(last, json={"odometer_reset": True})).status_code == 200
        assert (await user.http.delete(reset)).status_code == 204
        assert (await user.http.get(reset)).json()["error_code"] == "FUEL_FILL_NOT_FOUND"


class TestTheList:
    async def test_shows_the_economy_of_each_stretch(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        # made in another order than that of time
        fourth = await vehicles.fill(bertha, "10", 1000, "40")
        first = await vehicles.fill(bertha, "1", 100, "50")
        second = await vehicles.fill(bertha, "3", 300, "20.50", full=False)
        third = await vehicles.fill(bertha, "5", 600, "30.25")
        page = (await user.http.get(f"{VEHICLES}/{bertha}/fuel-fills")).json()
        found = {each["id"]: each for each in page["data"]}
        assert list(found) == [each["id"] for each in (fourth, third, second, first)]
        assert found[first["id"]]["economy"] is found[second["id"]]["economy"] is None
        assert found[second["id"]]["distance_m"] == 200_000
        assert found[third["id"]]["economy"] == {
            "fill_id": third["id"],
            "filled_at": third["filled_at"],
            "distance_m": 500_000,
            "volume_l": "50.75",
            "fills": 2,
            "consumption": {
                "l_per_100km": "10.15",
                "km_per_l": "9.85",
                "mpg_us": "23.17",
                "mpg_imperial": "27.83",
            },
        }
        assert found[fourth["id"]]["economy"]["consumption"]["l_per_100km"] == "10.00"
        # what is read alone is the same
        for each in page["data"]:
            assert (await user.http.get(path_of(each))).json()["data"] == each

    @pytest.mark.parametrize(
        ("query", "days"),
        [
            ("page_size=1", [9]),
            ("sort=filled_at&page_size=1&page=2", [5]),
            ("sort=-odometer_m", [9, 5, 1]),
            ("from=2026-03-05", [9, 5]),
            ("from=2026-03-01T08:00:01Z&to=2026-03-09T08:00:00Z", [5]),
            ("to=2026-03-09&zone=Australia/Sydney", [5, 1]),
            ("full=false", [5]),
            ("station=SHELL", [1]),
            (f"trip_id={NOBODYS}", []),
        ],
    )
    async def test_sorts_filters_and_turns_pages(
        self, query: str, days: list[int], user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        await vehicles.fill(bertha, "1", 100, "50", station="Shell Yass")
        await vehicles.fill(bertha, "5", 500, "50", full=False)
        await vehicles.fill(bertha, "9", 900, "50")
        page = (await user.http.get(f"{VEHICLES}/{bertha}/fuel-fills?{query}")).json()
        assert [int(each["filled_at"][8:10]) for each in page["data"]] == days
        assert page["total"] == (3 if "page_size" in query else len(days))

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("from=yesterday", "from"),
            ("from=2026-02-30", "from"),
            ("from=2026-03-02&to=2026-03-02", "to"),
            ("to=2026-03-02T00:00:00", "to"),
            ("zone=Mars/Olympus", "zone"),
            ("sort=note", "sort"),
        ],
    )
    async def test_refuses_what_it_cannot(
        self, query: str, field: str, user: User, bertha: str
    ) -> None:
        for what in ("fuel-fills", "economy"):
            if field != "sort" or what == "fuel-fills":
                answer = await user.http.get(f"{VEHICLES}/{bertha}/{what}?{query}")
                assert fields(answer) == {field}

    async def test_goes_with_its_vehicle(self, user: User, vehicles: Vehicles, bertha: str) -> None:
        made = await vehicles.fill(bertha, "1", 100, "50")
        await user.http.delete(f"{VEHICLES}/{bertha}")
        for path in (path_of(made), f"{VEHICLES}/{bertha}/fuel-fills"):
            answer = await user.http.get(path)
            assert (answer.status_code, answer.json()["error_code"]) == (404, "VEHICLE_NOT_FOUND")
        await user.http.post(f"{VEHICLES}/{bertha}/restore")
        assert (await user.http.get(path_of(made))).json()["data"] == made


class TestChanging:
    async def test_to_what_it_is_makes_no_version(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        made = await vehicles.fill(bertha, "1", 100, "50", price_per_l=aud("1.929"))
        answer = await user.http.patch(path_of(made), json={"volume_l": "50", "full": True})
        assert (answer.json()["data"], answer.headers["etag"]) == (made, '"2"')

    async def test_of_one_changes_the_tag_of_all(
        self, user: User, vehicles: Vehicles, bertha: str
    ) -> None:
        first = await vehicles.fill(bertha, "1", 100, "50")
        last = await vehicles.fill(bertha, "5", 500, "40")
        headers = {"If-None-Match": '"3"'}
        paths = (path_of(last), f"{VEHICLES}/{bertha}/economy", f"{VEHICLES}/{bertha}")
        for path in paths:
            assert (await user.http.get(path, headers=headers)).status_code == 304
        assert (await user.http.delete(path_of(first))).status_code == 204
        for path in paths:
            assert (await user.http.get(path, headers=headers)).status_code == 200
        assert (await user.http.get(path_of(last))).json()["data"]["economy"] is None


class TestEconomy:
    async def test_of_nothing_is_nothing(self, vehicles: Vehicles, bertha: str) -> None:
        found = await vehicles.economy(bertha)
        EconomyRead.model_validate(found)
        assert (found["fills"], found["distance_m"], found["volume_l"]) == (0, 0, "0")
        assert found["consumption"] is found["best"] is found["last_price"] is None
        assert found["spent"] == found["cost_per_km"] == []

    async def test_is_of_a_period(self, vehicles: Vehicles, bertha: str) -> None:
        nzd = {"amount": "80.00", "currency": "NZD"}
        at = "2026-02-20T00:00:00Z"
        await vehicles.fill(bertha, at, 100, "50", total=aud("100"))
        best = await vehicles.fill(bertha, "2", 600, "40", price_per_l=aud("2.001"))
        await vehicles.fill(bertha, "9", 800, "25", full=False, total=nzd)
        worst = await vehicles.fill(bertha, "20", 1100, "50.5", total=aud("101"))
        await vehicles.fill(bertha, "2026-04-02T00:00:00Z", 1300, "20")
        found = await vehicles.economy(bertha, "?from=2026-03-01&to=2026-04-01")
        assert EconomyRead.model_validate(found).fills == 3
        assert (found["from"], found["to"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
        assert (found["distance_m"], found["volume_l"]) == (1_000_000, "115.5")
        assert found["measured"] == {"stretches": 2, "distance_m": 10**6, "volume_l": "115.5"}
        assert found["spent"] == [aud("181.04"), nzd]
        assert found["consumption"]["l_per_100km"] == "11.55"
        assert (found["best"]["fill_id"], found["worst"]["fill_id"]) == (best["id"], worst["id"])
        assert found["worst"]["consumption"]["l_per_100km"] == "15.10"
        assert found["cost_per_km"] == [aud("0.1810"), {"amount": "0.0800", "currency": "NZD"}]
        assert found["last_price"]["price_per_l"] == aud("2.0000")
        whole = await vehicles.economy(bertha)
        assert (whole["fills"], whole["unpriced_fills"]) == (5, 1)
        assert (whole["distance_m"], whole["volume_l"]) == (1_200_000, "185.5")

"""The stops of a trip over HTTP: their order, and what they may say."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
import pytest_asyncio

from api.schemas.trips import StopRead
from tests.conftest import User
from tests.trips import TRIPS, Trips, stop

Json = dict[str, Any]

WHOLE = stop(
    service_s=3600,
    windows=[{"start": "2026-03-01T09:00:00+11:00", "end": "2026-03-01T17:00:00+11:00"}],
    required=False,
    prize=900.5,
    zone="Australia/Sydney",
    overnight=False,
    night_cost={"amount": "35.00", "currency": "AUD"},
)


@pytest_asyncio.fixture
async def trips(user: User) -> Trips:
    return Trips(user)


class TestAdding:
    async def test_answers_with_what_is_then_read(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make()
        answer = await user.http.post(f"{TRIPS}/{trip_id}/stops", json=WHOLE)
        made = answer.json()["data"]
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"{TRIPS}/{trip_id}/stops/{made['id']}"
        read = await user.http.get(answer.headers["location"])
        assert read.json()["data"] == made
        assert read.headers["etag"] == answer.headers["etag"] == '"2"'
        assert (made["trip_id"], made["position"], made["day"]) == (trip_id, 1, None)
        assert made["windows"][0]["start"] == "2026-02-28T22:00:00Z"
        assert {k: v for k, v in WHOLE.items() if k != "windows"}.items() <= made.items()

    async def test_answers_as_described(self, user: User, trips: Trips) -> None:
        path = f"{TRIPS}/{await trips.make()}/stops"
        made = (await user.http.post(path, json=WHOLE)).json()["data"]
        assert StopRead.model_validate(made).name == "Gosford"

    async def test_puts_it_last_or_where_it_is_wanted(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make("a", "b")
        path = f"{TRIPS}/{trip_id}/stops"
        for name, position in [("c", None), ("0", 1), ("between", 3), ("last", 6)]:
            body = {**stop(name), "position": position}
            made = (await user.http.post(path, json=body)).json()["data"]
            assert made["position"] == (position or 3)
        assert await trips.names(trip_id) == ["0", "a", "between", "b", "c", "last"]
        assert (await trips.read(trip_id))["version"] == 6

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"lat": 91}, "lat"),
            ({"lon": None}, "lon"),
            ({"service_s": -1}, "service_s"),
            ({"prize": 0}, "prize"),
            ({"required": True}, "prize"),
            ({"zone": "Mars/Olympus"}, "zone"),
            ({"windows": [{"start": "2026-03-01T09:00:00Z", "end": "x"}]}, "windows.0.end"),
            ({"night_cost": {"amount": 35, "currency": "AUD"}}, "night_cost.amount"),
            ({"position": 0}, "position"),
            ({"position": 2}, "position"),
            ({"position": 501}, "position"),
            ({"id": "a"}, "id"),
            ({"day": 1}, "day"),
        ],
    )
    async def test_refuses_what_no_route_could_hold(
        self, change: Json, field: str, user: User, trips: Trips
    ) -> None:
        trip_id = await trips.make()
        answer = await user.http.post(f"{TRIPS}/{trip_id}/stops", json={**WHOLE, **change})
        assert answer.status_code == 422, answer.text
        assert set(answer.json()["field_errors"]) == {field}
        assert await trips.stops(trip_id) == []

    async def test_an_optional_stop_must_say_what_it_is_worth(
        self, user: User, trips: Trips
    ) -> None:
        path = f"{TRIPS}/{await trips.make()}/stops"
        answer = await user.http.post(path, json=stop(required=False))
        assert answer.json()["field_errors"].keys() == {"prize"}

    async def test_twice_with_a_key_makes_one(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make()
        for path, body in [("", stop()), ("/bulk", {"stops": [stop("Taree"), stop()]})]:
            headers = {"Idempotency-Key": f"k{path}"}
            url = f"{TRIPS}/{trip_id}/stops{path}"
            first = await user.http.post(url, json=body, headers=headers)
            second = await user.http.post(url, json=body, headers=headers)
            assert (first.status_code, second.status_code) == (201, 201)
            assert second.json() == first.json()
            assert second.headers["idempotent-replayed"] == "true"
        assert await trips.names(trip_id) == ["Gosford", "Taree", "Gosford"]

    async def test_many_at_once_keeps_their_order(self, trips: Trips) -> None:
        trip_id = await trips.make("first", "last")
        added = await trips.add(trip_id, "a", "b", "c", position=2)
        assert [each["name"] for each in added] == ["first", "a", "b", "c", "last"]
        assert (await trips.read(trip_id))["version"] == 3

    async def test_many_is_all_or_none(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make()
        body = {"stops": [stop(), {**stop(), "lat": 91}]}
        answer = await user.http.post(f"{TRIPS}/{trip_id}/stops/bulk", json=body)
        assert answer.json()["field_errors"].keys() == {"stops.1.lat"}
        answer = await user.http.post(f"{TRIPS}/{trip_id}/stops/bulk", json={"stops": []})
        assert answer.json()["field_errors"].keys() == {"stops"}
        assert await trips.stops(trip_id) == []

    async def test_stops_where_a_plan_would(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make()
        answer = await user.http.post(
            f"{TRIPS}/{trip_id}/stops/bulk", json={"stops": [stop()] * 500}
        )
        assert (answer.status_code, len(answer.json()["data"])) == (201, 500)
        answer = await user.http.post(f"{TRIPS}/{trip_id}/stops", json=stop())
        assert (answer.status_code, answer.json()["error_code"]) == (422, "TOO_MANY_STOPS")


class TestChanging:
    async def test_keeps_what_is_not_sent(self, user: User, trips: Trips) -> None:
        path = f"{TRIPS}/{await trips.make()}/stops"
        made = (await user.http.post(path, json=WHOLE)).json()["data"]
        patch = {"night_cost": {"amount": "40"}, "zone": None, "required": True, "prize": 0}
        answer = await user.http.patch(f"{path}/{made['id']}", json=patch)
        assert answer.status_code == 200, answer.text
        cost = {"amount": "40", "currency": "AUD"}
        assert answer.json()["data"] == {**made, **patch, "night_cost": cost}
        assert answer.headers["etag"] == '"3"'

    @pytest.mark.parametrize(
        ("patch", "field"),
        [({"lat": None}, "lat"), ({"required": True}, "prize"), ({"position": 3}, "position")],
    )
    async def test_is_checked_as_adding_is(
        self, patch: Json, field: str, user: User, trips: Trips
    ) -> None:
        trip_id = await trips.make("a")
        path = f"{TRIPS}/{trip_id}/stops"
        made = (await user.http.post(path, json=WHOLE)).json()["data"]
        answer = await user.http.patch(f"{path}/{made['id']}", json=patch)
        assert answer.status_code == 422
        assert answer.json()["field_errors"].keys() == {field}
        assert (await trips.stops(trip_id))[1] == made

    @pytest.mark.parametrize(
        ("source", "target", "names"), [(1, 3, "bcad"), (4, 1, "dabc"), (2, 2, "abcd")]
    )
    async def test_moves_a_stop(
        self, source: int, target: int, names: str, user: User, trips: Trips
    ) -> None:
        trip_id = await trips.make(*"abcd")
        moved = (await trips.stops(trip_id))[source - 1]
        path = f"{TRIPS}/{trip_id}/stops/{moved['id']}"
        answer = await user.http.patch(path, json={"position": target})
        assert answer.json()["data"]["position"] == target
        assert "".join(await trips.names(trip_id)) == names
        assert (await trips.read(trip_id))["version"] == (2 if source == target else 3)

    async def test_may_be_bound_to_a_version_of_the_trip(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make("a", "b")
        ids = [each["id"] for each in await trips.stops(trip_id)]
        path, headers = f"{TRIPS}/{trip_id}", {"If-Match": '"1"'}
        calls: list[tuple[str, str, Json | None]] = [
            ("PATCH", f"/stops/{ids[0]}", {"name": "x"}),
            ("DELETE", f"/stops/{ids[0]}", None),
            ("POST", "/stops", stop()),
            ("POST", "/stops/bulk", {"stops": [stop()]}),
            ("PUT", "/stop-order", {"stop_ids": ids[::-1]}),
        ]
        for verb, what, body in calls:
            answer = await user.http.request(verb, path + what, json=body, headers=headers)
            assert answer.status_code == 412, (verb, what)
        assert await trips.names(trip_id) == ["a", "b"]
        answer = await user.http.put(
            f"{path}/stop-order", json={"stop_ids": ids[::-1]}, headers={"If-Match": '"2"'}
        )
        assert [each["name"] for each in answer.json()["data"]] == ["b", "a"]


class TestRemoving:
    async def test_lets_those_behind_move_up(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make(*"abc")
        gone = (await trips.stops(trip_id))[1]
        path = f"{TRIPS}/{trip_id}/stops/{gone['id']}"
        assert (await user.http.delete(path)).status_code == 204
        assert await trips.names(trip_id) == ["a", "c"]
        assert (await trips.read(trip_id))["version"] == 3
        for verb in ("GET", "PATCH", "DELETE"):
            answer = await user.http.request(verb, path, json={})
            assert (answer.status_code, answer.json()["error_code"]) == (404, "STOP_NOT_FOUND")

    async def test_of_another_trip_is_not_found(self, user: User, trips: Trips) -> None:
        trip_id, other = await trips.make("a"), await trips.make("b")
        stop_id = (await trips.stops(other))[0]["id"]
        for verb in ("GET", "PATCH", "DELETE"):
            answer = await user.http.request(verb, f"{TRIPS}/{trip_id}/stops/{stop_id}", json={})
            assert answer.status_code == 404
        assert await trips.names(other) == ["b"]


class TestTheOrder:
    async def test_is_changed_in_one_call(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make(*"abcd")
        ids = [each["id"] for each in await trips.stops(trip_id)]
        wanted = [ids[n] for n in (2, 0, 3, 1)]
        answer = await user.http.put(f"{TRIPS}/{trip_id}/stop-order", json={"stop_ids": wanted})
        assert answer.status_code == 200
        assert [each["id"] for each in answer.json()["data"]] == wanted
        assert [each["position"] for each in answer.json()["data"]] == [1, 2, 3, 4]
        assert (await trips.read(trip_id))["version"] == 3

    async def test_is_of_exactly_the_trips_stops(self, user: User, trips: Trips) -> None:
        trip_id, other = await trips.make(*"abc"), await trips.make("d")
        a, b, c = (each["id"] for each in await trips.stops(trip_id))
        d = (await trips.stops(other))[0]["id"]
        for wrong in ([a, b], [a, b, c, c], [a, b, c, d], [a, b, d], [], ["x", b, c]):
            answer = await user.http.put(f"{TRIPS}/{trip_id}/stop-order", json={"stop_ids": wrong})
            assert answer.status_code == 422
            assert next(iter(answer.json()["field_errors"])).startswith("stop_ids")
        assert await trips.names(trip_id) == ["a", "b", "c"]

    async def test_is_read_in_pages_from_either_end(self, user: User, trips: Trips) -> None:
        trip_id = await trips.make(*"abc")
        page = (await user.http.get(f"{TRIPS}/{trip_id}/stops?page_size=2&sort=-position")).json()
        assert [each["name"] for each in page["data"]] == ["c", "b"]
        assert page["total"] == 3

    async def test_survives_a_crowd(self, user: User, trips: Trips) -> None:
        """Inserts, removals, moves and reorders at once: no gap, no twin, every change counted."""
        trip_id = await trips.make(*"abcdef")
        ids = [each["id"] for each in await trips.stops(trip_id)]
        path = f"{TRIPS}/{trip_id}"
        dice = random.Random(7)
        calls = [user.http.post(f"{path}/stops", json={**stop(), "position": 1}) for _ in range(6)]
        calls += [user.http.delete(f"{path}/stops/{each}") for each in ids[:2]]
        for each in ids[2:]:
            position = dice.randint(1, 4)
            calls.append(user.http.patch(f"{path}/stops/{each}", json={"position": position}))
        shuffled = {"stop_ids": dice.sample(ids, len(ids))}
        calls += [user.http.put(f"{path}/stop-order", json=shuffled) for _ in range(3)]
        answers = await asyncio.gather(*calls)
        # a reorder that comes late names stops that are gone, and is refused
        assert {answer.status_code for answer in answers} <= {200, 201, 204, 422}
        assert [answer.status_code for answer in answers[:8]] == [201] * 6 + [204] * 2
        assert len(await trips.stops(trip_id)) == 10

"""Mapbox by its real client: within its limits, through its moods, and without it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from core.database import Database, Role, perform
from core.kind import JobFailed, RunStopped
from core.settings import Settings
from services.jobs import repair
from services.roads import Highways
from services.roads.cells import rounded
from tests.fakes import mapbox as fakes
from tests.fakes.mapbox import FakeMapbox
from tests.services.roads.conftest import MakeRoads
from tests.stack import Stores

SYDNEY, ORANGE, DUBBO, BATHURST = (
    (-33.8688, 151.2093),
    (-33.2839, 149.0988),
    (-32.2569, 148.6011),
    (-33.4193, 149.5775),
)
PLACES = [SYDNEY, ORANGE, DUBBO, BATHURST]


def scattered(n: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(n)
    lat, lon = rng.uniform(47, 50, n), rng.uniform(0, 11, n)  # highways everywhere
    return list(zip(lat.tolist(), lon.tolist(), strict=True))


def codes(table: object) -> list[str]:
    return [remark.code for remark in table.remarks]  # type: ignore[attr-defined]


def test_the_figures_are_those_of_mapbox(roads: MakeRoads, mapbox: FakeMapbox) -> None:
    table = roads().table(PLACES)
    assert (table.source, table.error_p90, table.remarks) == ("mapbox", None, ())
    assert table.attribution == "© Mapbox © OpenStreetMap contributors"
    for i, (lat, lon) in enumerate(PLACES):
        for j, (to_lat, to_lon) in enumerate(PLACES):
            there = (lon, lat), (to_lon, to_lat)
            assert table.distances_m[i, j] == pytest.approx(fakes.metres(*there), abs=1)
            assert table.durations_s[i, j] == pytest.approx(fakes.seconds(*there), abs=1)
    assert table.distances_m[0, 1] != table.distances_m[1, 0]
    assert (mapbox.calls, mapbox.elements) == ([4], 16)


def test_tables_of_many_calls(roads: MakeRoads, mapbox: FakeMapbox) -> None:
    places = [*scattered(40), SYDNEY, SYDNEY]  # the same place twice is asked for once
    table = roads().table(places)
    assert table.source == "mapbox"
    assert table.durations_s.shape == (42, 42)
    assert table.distances_m[40, 41] == 0
    assert (table.distances_m[40] == table.distances_m[41]).all()
    assert len(mapbox.calls) == 4 * 4
    assert max(mapbox.calls) <= 25
    assert mapbox.elements == 41 * 41
    lat, lon = places[3]
    here, sydney = rounded((lat, lon))[::-1], SYDNEY[::-1]
    assert table.distances_m[3, 40] == pytest.approx(fakes.metres(here, sydney), abs=2)


def test_traffic_has_limits_of_its_own(roads: MakeRoads, mapbox: FakeMapbox) -> None:
    assert roads(mapbox_profile="driving-traffic").table(scattered(12)).source == "mapbox"
    assert max(mapbox.calls) <= 10


class TestTheCache:
    def test_answers_again(self, roads: MakeRoads, mapbox: FakeMapbox, stores: Stores) -> None:
        first = roads().table(PLACES)
        again = roads().table(PLACES[::-1])
        assert (again.durations_s == first.durations_s[::-1, ::-1]).all()
        assert mapbox.elements == 16
        assert stores.one("SELECT count(*) FROM road_cells") == 12

    def test_a_new_stop_is_asked_for_alone(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        places = scattered(31)
        roads().table(places[:30])
        mapbox.elements = 0
        assert roads().table(places).source == "mapbox"
        assert mapbox.elements == 2 * 30

    def test_ends(self, roads: MakeRoads, mapbox: FakeMapbox, stores: Stores) -> None:
        roads().table(PLACES)
        with stores.sql() as sql:
            sql.execute("UPDATE road_cells SET expires_at = now()")
        roads().table(PLACES)
        assert mapbox.elements == 32
        left = stores.one("SELECT max(expires_at) - now() FROM road_cells")
        assert timedelta(hours=23) < left <= timedelta(hours=24)

    def test_is_swept(self, roads: MakeRoads, stores: Stores) -> None:
        roads().table(PLACES)
        with stores.sql() as sql:
            sql.execute(
                "UPDATE road_cells SET expires_at = now() - interval '1 s' WHERE key = (SELECT "
                "min(key::text)::uuid FROM road_cells)"
            )
            sql.execute("INSERT INTO road_spending VALUES (now() - interval '40 days', 1, now())")
        engine = Database(Settings(), Role.ENGINE, pool_size=1)
        with engine.transaction() as session:
            assert perform(session, repair.prune()) >= 2
        engine.dispose()
        assert stores.one("SELECT count(*) FROM road_cells") == 11
        assert stores.one("SELECT count(*) FROM road_spending") == 1

    def test_can_be_switched_off(
        self, roads: MakeRoads, mapbox: FakeMapbox, stores: Stores
    ) -> None:
        roads(mapbox_keep_hours=0).table(PLACES)
        roads(mapbox_keep_hours=0).table(PLACES)
        assert mapbox.elements == 32
        assert stores.one("SELECT count(*) FROM road_cells") == 0

    def test_keeps_profiles_apart(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        roads().table(PLACES)
        roads(mapbox_profile="driving-traffic").table(PLACES)
        assert mapbox.elements == 32


class TestNoWay:
    def test_is_estimated_and_said(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        mapbox.unreachable.add(ORANGE[::-1])
        for _ in range(2):  # also from the cache
            table, own = roads().table(PLACES), Highways().table(PLACES)
            assert table.distances_m[0, 1] == own.distances_m[0, 1]
            assert table.distances_m[0, 2] != own.distances_m[0, 2]
            assert (table.source, table.error_p90) == (own.source, own.error_p90)
            assert codes(table) == ["ROADS_PARTLY_ESTIMATED"]
            assert "6 of 12 legs" in table.remarks[0].detail
        assert mapbox.elements == 16

    def test_for_a_whole_call(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        mapbox.faults.append(lambda: fakes.problem(200, code="NoSegment", message="No segment"))
        table = roads().table(PLACES)
        assert (table.distances_m == Highways().table(PLACES).distances_m).all()
        assert "12 of 12 legs" in table.remarks[0].detail


class TestBudgets:
    def test_of_a_job(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        table = roads(mapbox_elements_per_job=15).table(PLACES)
        assert (table.source, codes(table)) == ("highway_graph", ["MAPBOX_NOT_USED"])
        assert "more places" in table.remarks[0].detail
        assert mapbox.seen == 0

    def test_of_a_day(self, roads: MakeRoads, mapbox: FakeMapbox, stores: Stores) -> None:
        budget = {"mapbox_elements_per_day": 20}
        assert roads(**budget).table(PLACES).source == "mapbox"
        spent = roads(**budget).table(scattered(3))
        assert (spent.source, codes(spent)) == ("highway_graph", ["MAPBOX_NOT_USED"])
        assert "budget of the day" in spent.remarks[0].detail
        assert roads(**budget).table(scattered(2)).source == "mapbox"
        assert stores.one("SELECT elements FROM road_spending") == mapbox.elements == 20

    def test_calls_are_spread(self, roads: MakeRoads, mapbox: FakeMapbox, stores: Stores) -> None:
        """Half a minute's calls at once, then one every two seconds, whoever asks."""
        roads().table(PLACES)
        with stores.sql() as sql:  # as if other workers had just taken the rest
            sql.execute("UPDATE road_spending SET turn_at = now() + interval '60.5 seconds'")
        began = time.monotonic()
        assert roads().table(scattered(2)).source == "mapbox"
        assert 2.0 < time.monotonic() - began < 4
        with stores.sql() as sql:
            sql.execute("UPDATE road_spending SET turn_at = now() + interval '90 seconds'")
        busy = roads(mapbox_patience_s=20).table(scattered(3))
        assert "at once" in busy.remarks[0].detail
        elements = stores.one("SELECT elements FROM road_spending")
        assert elements == mapbox.elements == 20  # a turn that was not given costs nothing


class TestItsMoods:
    def test_too_many_requests(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        mapbox.per_minute, mapbox.window_s = 1, 1.0
        table = roads().table(scattered(2))
        began = time.time()
        assert roads().table(scattered(3)).source == table.source == "mapbox"
        assert time.time() - began < 3
        assert (len(mapbox.calls), mapbox.seen) == (2, 3)

    def test_a_reset_beyond_our_patience(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        reset = {"X-Rate-Limit-Reset": str(int(time.time()) + 50)}
        mapbox.faults.append(lambda: fakes.problem(429, reset, message="Too Many Requests"))
        began = time.monotonic()
        table = roads().table(PLACES)
        assert time.monotonic() - began < 2
        assert (table.source, codes(table)) == ("highway_graph", ["MAPBOX_NOT_USED"])

    @pytest.mark.parametrize(
        "answer",
        [
            fakes.problem(503, message="Service Unavailable"),
            fakes.problem(500, message="Internal Server Error"),
            (200, {}, b'{"code": "Ok", "durations": [[0'),
            (200, {}, b"[]"),
            (200, {}, b'{"code": "Ok", "durations": [[0]], "distances": [[0]]}'),
            (200, {}, b'{"code": "Ok", "durations": [[0, "x"], [1, 0]], "distances": []}'),
            (200, {}, b'{"code": "Ok"}'),
            (302, {"Location": "/elsewhere"}, b""),
        ],
    )
    def test_passing(self, answer: fakes.Answer, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        mapbox.faults += [lambda: answer] * 3
        assert roads().table(scattered(2)).source == "mapbox"
        mapbox.faults += [lambda: answer] * 4
        table = roads().table(scattered(3))
        assert codes(table) == ["MAPBOX_NOT_USED"]
        assert (table.distances_m == Highways().table(scattered(3)).distances_m).all()

    def test_nobody_there(self, roads: MakeRoads) -> None:
        table = roads(mapbox_url="http://127.0.0.1:9").table(PLACES)
        assert (table.source, codes(table)) == ("highway_graph", ["MAPBOX_NOT_USED"])

    def test_slow(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        mapbox.faults.append(lambda: time.sleep(1.5))
        began = time.monotonic()
        table = roads(mapbox_patience_s=0.5).table(PLACES)
        assert time.monotonic() - began < 1.4
        assert codes(table) == ["MAPBOX_NOT_USED"]

    def test_what_was_fetched_before_is_kept(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        mapbox.faults += [lambda: None] * 3 + [lambda: fakes.problem(500)] * 4
        places = scattered(30)
        assert codes(roads().table(places)) == ["MAPBOX_NOT_USED"]
        done = mapbox.elements
        assert roads().table(places).source == "mapbox"
        assert mapbox.elements < done + 900

    def test_cancelled_meanwhile(self, roads: MakeRoads, mapbox: FakeMapbox) -> None:
        began = time.monotonic()

        def check() -> None:
            if time.monotonic() - began > 0.3:
                raise RunStopped

        mapbox.faults.append(lambda: fakes.problem(429, {"Retry-After": "20"}))
        with pytest.raises(RunStopped):
            roads(check).table(PLACES)
        assert time.monotonic() - began < 1.5


class TestRefusals:
    @pytest.mark.parametrize(
        ("answer", "code", "status"),
        [
            (fakes.problem(401, message="Not Authorized - Invalid Token"), "ROADS_REFUSED", 502),
            (fakes.problem(403, message="Forbidden"), "ROADS_REFUSED", 502),
            (fakes.invalid("Coordinate is invalid: 151,95"), "ROADS_REJECTED", 422),
        ],
    )
    def test_are_facts(
        self, answer: fakes.Answer, code: str, status: int, roads: MakeRoads, mapbox: FakeMapbox
    ) -> None:
        mapbox.faults.append(lambda: answer)
        with pytest.raises(JobFailed) as failed:
            roads().table(PLACES)
        fact = failed.value
        assert (fact.code, fact.status, fact.retryable) == (code, status, False)
        assert mapbox.seen == 1

    def test_of_a_wrong_token(self, roads: MakeRoads) -> None:
        with pytest.raises(JobFailed, match="ROADS_REFUSED"):
            roads(mapbox_token="pk.stolen").table(PLACES)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


def test_the_token_is_never_logged(
    roads: MakeRoads, mapbox: FakeMapbox, logged: pytest.LogCaptureFixture
) -> None:
    mapbox.faults += [lambda: fakes.problem(500), lambda: None]
    roads().table(PLACES)
    roads(mapbox_url="http://127.0.0.1:9").table(scattered(3))
    with pytest.raises(JobFailed) as failed:
        roads(mapbox_token="pk.test.stolen").table(scattered(4))
    assert "mapbox" in logged.text
    assert "pk.test" not in logged.text
    assert "pk.test" not in str(failed.value)


def test_tables_say_nothing_of_places(roads: MakeRoads, database: Database, stores: Stores) -> None:
    roads().table(PLACES)
    row = stores.one("SELECT row_to_json(road_cells)::text FROM road_cells LIMIT 1")
    for degrees in ("33.", "151.", "3387", "15121"):
        assert degrees not in row.split("duration_s")[0].replace("-", "")

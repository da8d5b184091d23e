"""Tables from the highway graph: sane for any places, honest about what they do not know."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kind import RunStopped
from services.roads import GreatCircle, Highways
from services.roads.table import OPEN_STREET_MAP

SYDNEY, ORANGE, DUBBO = (-33.8688, 151.2093), (-33.28, 149.1), (-32.24, 148.6)
HOBART, TOKYO, OSAKA = (-42.88, 147.33), (35.68, 139.77), (34.69, 135.5)
PARIS, LYON = (48.857, 2.352), (45.76, 4.84)

anywhere = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
#: New South Wales and a bit of sea: places that share highways, islands and a coast.
nearby = st.tuples(st.floats(-36, -29), st.floats(145, 154))


@settings(max_examples=40, deadline=None)
@given(st.lists(anywhere | nearby, min_size=1, max_size=12))
def test_any_places(places: list[tuple[float, float]]) -> None:
    table, guessed = Highways().table(places), GreatCircle().table(places)
    straight = np.minimum(guessed.distances_m, guessed.distances_m / 1.46 - 1)
    for figures in (table.durations_s, table.distances_m):
        assert figures.shape == (len(places), len(places))
        assert figures.dtype == np.int64
        assert (figures >= 0).all()
        assert (figures == figures.T).all()
        assert (figures.diagonal() == 0).all()
    assert (table.distances_m >= straight).all()
    apart = table.distances_m > 1000
    kmh = table.distances_m[apart] * 3.6 / table.durations_s[apart]
    assert ((kmh > 44) & (kmh < 96)).all()


def test_roads_are_named_and_credited() -> None:
    table = Highways().table([SYDNEY, ORANGE, DUBBO])
    assert (table.source, table.remarks) == ("highway_graph", ())
    assert table.attribution == OPEN_STREET_MAP


def test_nothing_is_credited_where_nothing_is_taken() -> None:
    table = Highways().table([TOKYO, OSAKA])
    assert (table.source, table.attribution, table.remarks) == ("great_circle", None, ())
    assert (table.distances_m == GreatCircle().table([TOKYO, OSAKA]).distances_m).all()


def test_the_least_exact_figure_speaks_for_all() -> None:
    table = Highways().table([SYDNEY, ORANGE, DUBBO, HOBART])  # no road crosses Bass Strait
    assert table.source == "great_circle"
    assert table.error_p90 == GreatCircle().table([SYDNEY]).error_p90
    assert [remark.code for remark in table.remarks] == ["ROADS_PARTLY_ESTIMATED"]
    assert table.remarks[0].detail.startswith("3 of 6 pairs")
    assert table.attribution == OPEN_STREET_MAP
    by_road = Highways().table([SYDNEY, ORANGE]).distances_m[0, 1]
    assert table.distances_m[0, 1] == by_road


def test_regions_do_not_disturb_each_other() -> None:
    table = Highways().table([SYDNEY, PARIS, ORANGE, LYON])
    assert table.distances_m[0, 2] == Highways().table([SYDNEY, ORANGE]).distances_m[0, 1]
    assert table.distances_m[1, 3] == Highways().table([PARIS, LYON]).distances_m[0, 1]
    assert table.distances_m[0, 1] > 16_000_000


def test_two_ends_of_a_street() -> None:
    # both are nearest to the same junction: the way over it is none
    table = Highways().table([(-33.8688, 151.2093), (-33.8700, 151.2110), (-33.8688, 151.2093)])
    assert 200 < table.distances_m[0, 1] < 400
    assert table.distances_m[0, 2] == table.durations_s[0, 2] == 0


def test_a_town_between_two_junctions() -> None:
    # Miriam Vale lies beside the Bruce Highway, 40 km and more from any other
    table = Highways().table([(-24.328, 151.562), (-23.380, 150.510)])
    assert table.source == "highway_graph"
    assert table.distances_m[0, 1] == pytest.approx(177_000, rel=0.12)


def test_large_tables_are_quick_and_can_be_stopped() -> None:
    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(33, 47, 100), rng.uniform(-118, -78, 100)
    places = list(zip(lat.tolist(), lon.tolist(), strict=True))
    Highways().table(places[:2])  # loads the region
    began, looks = time.process_time(), []
    Highways(lambda: looks.append(time.monotonic())).table(places)
    assert time.process_time() - began < 3
    assert np.diff(looks).max() < 0.5

    def stop() -> None:
        raise RunStopped

    with pytest.raises(RunStopped):
        Highways(stop).table(places)

"""Great-circle estimates against roads that everybody knows."""

from __future__ import annotations

import numpy as np
import pytest

from services.roads import GreatCircle

SYDNEY, MELBOURNE, PERTH, ADELAIDE = (
    (-33.8688, 151.2093),
    (-37.8136, 144.9631),
    (-31.9523, 115.8613),
    (-34.9285, 138.6007),
)
DENVER, CHICAGO, PARIS, LYON = (39.74, -104.99), (41.88, -87.63), (48.857, 2.352), (45.76, 4.84)


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        (SYDNEY, MELBOURNE, 878),
        (PERTH, ADELAIDE, 2700),
        (DENVER, CHICAGO, 1615),
        (PARIS, LYON, 465),
    ],
)
def test_known_roads(a: tuple[float, float], b: tuple[float, float], km: int) -> None:
    table = GreatCircle().table([a, b])
    assert table.distances_m[0, 1] / 1000 == pytest.approx(km, rel=0.12)
    hours = table.durations_s[0, 1] / 3600
    assert 70 < km / hours < 105


def test_shape_and_symmetry() -> None:
    rng = np.random.default_rng(7)
    places = [(float(a), float(b)) for a, b in rng.uniform([-90, -180], [90, 180], (60, 2))]
    table = GreatCircle().table(places)
    for figures in (table.durations_s, table.distances_m):
        assert figures.shape == (60, 60)
        assert figures.dtype == np.int64
        assert (figures == figures.T).all()
        assert (figures.diagonal() == 0).all()
        assert (figures >= 0).all()


def test_the_same_place_and_its_antipode() -> None:
    table = GreatCircle().table([(0, 0), (0, 0), (0, 180), (0, -180)])
    assert table.distances_m[0, 1] == 0
    assert table.distances_m[2, 3] == 0
    assert 20_000_000 < table.distances_m[0, 2] < 30_000_000


def test_longer_is_never_quicker() -> None:
    east = [(0.0, float(lon)) for lon in np.linspace(0, 30, 400)]
    table = GreatCircle().table(east)
    assert (np.diff(table.distances_m[0]) > 0).all()
    assert (np.diff(table.durations_s[0]) > 0).all()

"""Estimates against roads that everybody knows, and against a road atlas."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from services.roads import EstimatedTable, GreatCircle, Highways, great_circle, highways
from services.roads.choice import Roads

ATLAS = Path(__file__).parents[2] / "data" / "routing" / "dantzig42.tsp"

#: Its cities in their order (Dantzig, Fulkerson and Johnson 1954), a city of each state.
CITIES = """
42.99,-71.46 44.26,-72.58 42.33,-83.05 41.50,-81.69 38.35,-81.63 38.25,-85.76 39.77,-86.16
41.88,-87.63 43.04,-87.91 44.98,-93.27 44.37,-100.35 46.81,-100.78 46.59,-112.04 47.61,-122.33
45.52,-122.68 43.62,-116.20 40.76,-111.89 39.16,-119.77 34.05,-118.24 33.45,-112.07 35.69,-105.94
39.74,-104.99 41.14,-104.82 41.26,-95.93 41.59,-93.62 39.10,-94.58 39.05,-95.68 35.47,-97.52
32.78,-96.80 34.75,-92.29 35.15,-90.05 32.30,-90.18 29.95,-90.07 33.52,-86.80 33.75,-84.39
30.33,-81.66 34.00,-81.03 35.78,-78.64 37.54,-77.44 38.90,-77.04 42.36,-71.06 43.66,-70.26
"""

#: The usual way by road, km; as route planners and road signs have it.
KNOWN = {
    "north_america": """
New York 40.7128,-74.0060 Los Angeles 34.0522,-118.2437 4490
New York 40.7128,-74.0060 Chicago 41.8781,-87.6298 1271
San Francisco 37.7749,-122.4194 Los Angeles 34.0522,-118.2437 615
Denver 39.7392,-104.9903 Salt Lake City 40.7608,-111.8910 837
Seattle 47.6062,-122.3321 Portland 45.5152,-122.6784 280
Dallas 32.7767,-96.7970 Houston 29.7604,-95.3698 385
Boston 42.3601,-71.0589 New York 40.7128,-74.0060 346
Miami 25.7617,-80.1918 Orlando 28.5384,-81.3789 378
Phoenix 33.4484,-112.0740 Las Vegas 36.1699,-115.1398 478
Chicago 41.8781,-87.6298 Detroit 42.3314,-83.0458 454
Atlanta 33.7490,-84.3880 Nashville 36.1627,-86.7816 399
Minneapolis 44.9778,-93.2650 Chicago 41.8781,-87.6298 657
St Louis 38.6270,-90.1994 Kansas City 39.0997,-94.5786 399
Denver 39.7392,-104.9903 Chicago 41.8781,-87.6298 1615
""",
    "australia_nz": """
Sydney -33.8688,151.2093 Melbourne -37.8136,144.9631 878
Sydney -33.8688,151.2093 Brisbane -27.4698,153.0251 915
Adelaide -34.9285,138.6007 Melbourne -37.8136,144.9631 727
Perth -31.9523,115.8613 Adelaide -34.9285,138.6007 2700
Brisbane -27.4698,153.0251 Cairns -16.9186,145.7781 1680
Darwin -12.4634,130.8456 Alice Springs -23.6980,133.8807 1497
Alice Springs -23.6980,133.8807 Adelaide -34.9285,138.6007 1533
Auckland -36.8485,174.7633 Wellington -41.2865,174.7762 643
""",
    "europe": """
Paris 48.8566,2.3522 Lyon 45.7640,4.8357 465
Berlin 52.5200,13.4050 Munich 48.1351,11.5820 585
London 51.5074,-0.1278 Edinburgh 55.9533,-3.1883 650
Madrid 40.4168,-3.7038 Barcelona 41.3874,2.1686 620
Rome 41.9028,12.4964 Milan 45.4642,9.1900 575
Hamburg 53.5511,9.9937 Frankfurt 50.1109,8.6821 493
Paris 48.8566,2.3522 Madrid 40.4168,-3.7038 1270
Paris 48.8566,2.3522 Berlin 52.5200,13.4050 1055
Munich 48.1351,11.5820 Rome 41.9028,12.4964 920
""",
}
ROW = re.compile(
    r"^[^\d-]+(-?[\d.]+),(-?[\d.]+)\s[^\d-]+(-?[\d.]+),(-?[\d.]+) (\d+)$", re.MULTILINE
)

Shares = npt.NDArray[np.float64]


def errors(roads: Roads, region: str) -> Shares:
    """By how much each known road is missed, as a share of it."""
    found = []
    for lat, lon, to_lat, to_lon, km in ROW.findall(KNOWN[region]):
        table = roads.table([(float(lat), float(lon)), (float(to_lat), float(to_lon))])
        found.append(table.distances_m[0, 1] / 1000 / int(km) - 1)
        hours = table.durations_s[0, 1] / 3600
        assert 65 < int(km) / hours < 110
    return np.array(found)


def atlas_km() -> Shares:
    """Its 861 distances; they are published as (miles - 11) / 17."""
    rows = ATLAS.read_text().split("EDGE_WEIGHT_SECTION")[1].split("DISPLAY_DATA")[0].split()
    lower = np.zeros((42, 42))
    lower[np.tril_indices(42)] = [int(number) for number in rows]
    distances: Shares = (17 * lower.T[np.triu_indices(42, 1)] + 11) * 1.609344
    return distances


def p90(shares: Shares) -> float:
    return float(np.percentile(np.abs(shares), 90))


class TestKnownRoads:
    @pytest.mark.parametrize(
        ("region", "bias", "mean", "most"),
        [
            ("north_america", 0.02, 0.035, 0.13),
            ("australia_nz", 0.03, 0.035, 0.08),
            ("europe", 0.02, 0.03, 0.08),
        ],
    )
    def test_highways_are_close(self, region: str, bias: float, mean: float, most: float) -> None:
        missed = errors(Highways(), region)
        assert len(missed) >= 8
        assert abs(missed.mean()) < bias
        assert np.abs(missed).mean() < mean
        assert np.abs(missed).max() < most  # Denver to Salt Lake City: the shortest is slow

    def test_the_promised_errors_hold(self) -> None:
        for roads, promised in (
            (Highways(), highways.ERROR_P90),
            (GreatCircle(), great_circle.ERROR_P90),
        ):
            missed = np.concatenate([errors(roads, region) for region in KNOWN])
            assert p90(missed) < float(promised)


class TestTheAtlas:
    @pytest.fixture
    def places(self) -> list[tuple[float, float]]:
        pairs = [city.split(",") for city in CITIES.split()]
        return [(float(lat), float(lon)) for lat, lon in pairs]

    def shares(self, table: EstimatedTable) -> Shares:
        """Our distances over those of the atlas, whose roads of 1949 were longer by 5 %."""
        ours: Shares = table.distances_m[np.triu_indices(42, 1)] / 1000 / atlas_km()
        return ours / np.median(ours) - 1

    def test_highways_agree(self, places: list[tuple[float, float]]) -> None:
        table = Highways().table(places)
        assert table.source == "highway_graph"
        ours = table.distances_m[np.triu_indices(42, 1)]
        assert np.corrcoef(ours, atlas_km())[0, 1] > 0.997
        assert p90(self.shares(table)) < float(highways.ERROR_P90)

    def test_great_circles_agree_less(self, places: list[tuple[float, float]]) -> None:
        assert p90(self.shares(GreatCircle().table(places))) < float(great_circle.ERROR_P90)

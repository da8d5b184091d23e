"""Roads without a map: great-circle distances stretched by how crooked roads are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.roads.table import EstimatedTable

EARTH_RADIUS_M = 6_371_008.8  # mean radius R1 of the WGS 84 ellipsoid (IUGG)

BAND_KM = (20.0, 100.0, 275.0, 700.0, 1500.0)
"""Middles of the bands of straight-line distance for which circuity was measured."""

SHORTEST_IS_NOT_FASTEST = 1.04
MOST_CIRCUITY = 1.45  # short bands of sparse networks are inflated by missing local roads

CIRCUITY = {
    "default": (1.30, 1.23, 1.16, 1.12, 1.12),
    "AU": (1.28, 1.18, 1.27, 1.20, 1.23),
    "CA": (1.64, 1.41, 1.23, 1.19, 1.17),
    "MX": (1.41, 1.36, 1.28, 1.19, 1.21),
    "GB": (1.25, 1.18, 1.14, 1.13, 1.13),
    "DE": (1.43, 1.30, 1.25, 1.23, 1.23),
    "FR": (1.34, 1.15, 1.17, 1.16, 1.16),
    "IBERIA": (1.52, 1.27, 1.22, 1.21, 1.21),
}
"""Length of the road network over the straight line, median per band of 50 random cities.

Own measurement on the OpenStreetMap highway graph of scgraph_data 2.0.0; the default is
that of the USA, where it agrees with Ballou, Rahardja and Sakai (2002), Transportation
Research A 36:843 (1.20 over all distances).
"""

REGIONS = (
    ("AU", -44.0, -10.0, 112.0, 154.0),
    ("CA", 49.0, 70.0, -141.0, -52.0),
    ("MX", 14.5, 25.8, -113.0, -86.7),
    ("GB", 50.0, 59.0, -8.0, 1.8),
    ("DE", 47.5, 55.0, 7.6, 14.5),
    ("IBERIA", 36.0, 43.3, -9.6, 0.7),
    ("FR", 42.4, 50.0, -4.8, 7.5),
)
"""(region, south, north, west, east): boxes inside or near the borders, first match."""

LEG_ENDS_KM = (15.0, 60.0, 200.0)
LEG_KMH = (45.0, 65.0, 85.0, 95.0)
"""The first 15 km of a leg go at 45 km/h, those to 60 km at 65, to 200 at 85, the rest at 95.

Defaults of ours, to be calibrated against a real router.
"""

ERROR_P90 = "0.13"
"""Nine of ten of 31 well-known road distances in three continents are nearer than that, and of
the 861 of TSPLIB's dantzig42 (USA); see `tests/services/roads/test_truth.py`.
"""

Metres = npt.NDArray[np.float64]


class GreatCircle:
    """Needs no data and no network, and answers for every pair of places on Earth."""

    def table(self, places: Sequence[tuple[float, float]]) -> EstimatedTable:
        """Symmetric estimates between places given as (lat, lon) in degrees."""
        points = np.asarray(places, dtype=np.float64)
        road_m = road_between_m(points, straight_between_m(points))
        return EstimatedTable.of(driving_s(road_m), road_m, "great_circle", ERROR_P90)


def straight_between_m(points: Metres) -> Metres:
    """Great-circle distances in metres, shape (n, n), of (lat, lon) in degrees, shape (n, 2)."""
    lat, lon = points[:, 0], points[:, 1]
    return straight_m(lat[:, None], lon[:, None], lat[None, :], lon[None, :])


def straight_m(
    from_lat: Metres | float, from_lon: Metres | float, lat: Metres, lon: Metres
) -> Metres:
    """Great-circle distances in metres between places in degrees; shapes are broadcast."""
    here, there = np.radians(from_lat), np.radians(lat)
    across = np.sin((there - here) / 2) ** 2
    along = np.sin(np.radians(lon - from_lon) / 2) ** 2
    h = across + np.cos(here) * np.cos(there) * along
    metres: Metres = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(h, 0, 1)))
    return metres


def road_between_m(points: Metres, straight: Metres) -> Metres:
    """Estimated road between places of shape (n, 2), given their straight distances."""
    return straight * _circuity(straight / 1000, points)


def _circuity(straight_km: Metres, points: Metres) -> Metres:
    """Factor per pair: that of the region of both places, the default between regions."""
    regions = np.array([_region(lat, lon) for lat, lon in points])
    factor = np.interp(straight_km, BAND_KM, _bands("default"))
    for region in set(regions.tolist()) - {"default"}:
        inside = regions == region
        both = np.ix_(inside, inside)
        factor[both] = np.interp(straight_km[both], BAND_KM, _bands(region))
    return factor


def _bands(region: str) -> list[float]:
    return [min(MOST_CIRCUITY, f * SHORTEST_IS_NOT_FASTEST) for f in CIRCUITY[region]]


def _region(lat: float, lon: float) -> str:
    for region, south, north, west, east in REGIONS:
        if south <= lat <= north and west <= lon <= east:
            return region
    return "default"


def driving_s(road_m: Metres, access_m: Metres | float = 0.0) -> Metres:
    """Seconds for distances in metres, faster the longer the leg.

    Args:
        access_m: local roads among them, which are slow all along.
    """
    km = road_m / 1000
    slow = np.minimum(km, np.maximum(LEG_ENDS_KM[0], access_m / 1000))
    seconds = slow * 3600 / LEG_KMH[0]
    begins = slow
    for ends, kmh in zip((*LEG_ENDS_KM[1:], np.inf), LEG_KMH[1:], strict=True):
        so_far = np.maximum(begins, np.minimum(km, ends))
        seconds += (so_far - begins) * 3600 / kmh
        begins = so_far
    return seconds

"""A plan on the map: GeoJSON (RFC 7946) with a point per place and a line per leg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.plan_route.contract.result import Leg


class Spot(NamedTuple):
    """A place of the plan, in the order of the trip."""

    key: str
    name: str
    lat: float
    lon: float


def collection(spots: Sequence[Spot], legs: Sequence[Leg], closed: bool) -> dict[str, Any]:
    """A FeatureCollection of the places, then the legs between them.

    Args:
        spots: start, visited stops in their order, then the end if it is its own place.
        legs: the drives between consecutive spots, and back to the first if `closed`.
        closed: whether the trip ends where it began.
    """
    path = [*spots, spots[0]] if closed else list(spots)
    points = [_point(spot, position) for position, spot in enumerate(spots)]
    lines = [_line(a, b, leg) for a, b, leg in zip(path, path[1:], legs, strict=False)]
    return {"type": "FeatureCollection", "features": points + lines}


def _point(spot: Spot, position: int) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [spot.lon, spot.lat]},
        "properties": {"id": spot.key, "name": spot.name, "position": position},
    }


def _line(a: Spot, b: Spot, leg: Leg) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": _straight(a, b),
        "properties": {
            "from": leg.from_,
            "to": leg.to,
            "duration_s": leg.duration_s,
            "distance_m": leg.distance_m,
        },
    }


def _straight(a: Spot, b: Spot) -> dict[str, Any]:
    """A line the short way round; cut in two at the antimeridian (RFC 7946 section 3.1.9)."""
    there, here = [b.lon, b.lat], [a.lon, a.lat]
    if abs(b.lon - a.lon) <= 180:
        return {"type": "LineString", "coordinates": [here, there]}
    edge = 180.0 if a.lon > 0 else -180.0
    beyond = b.lon + 2 * edge  # b as seen from a, past the edge
    share = (edge - a.lon) / (beyond - a.lon)
    lat = round(a.lat + share * (b.lat - a.lat), 6)
    return {
        "type": "MultiLineString",
        "coordinates": [[here, [edge, lat]], [[-edge, lat], there]],
    }

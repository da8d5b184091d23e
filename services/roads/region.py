"""One region of the highway graph: the roads near a place, and shortest paths between places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.roads.great_circle import EARTH_RADIUS_M, straight_m

DATA = Path(__file__).parent / "data"
UNIT_M = 10
"""Lengths are whole tens of metres: the coordinates are no finer than a hundred."""


class Box(NamedTuple):
    """Degrees."""

    south: float
    north: float
    west: float
    east: float


BOXES = {
    "north_america": Box(7.0, 75.0, -170.0, -50.0),
    "europe": Box(35.8, 72.0, -25.0, 42.0),
    "australia_nz": Box(-48.0, -9.0, 110.0, 180.0),
}
"""The files in `data/`, and what each covers."""

DEGREE_M = EARTH_RADIUS_M * np.pi / 180

Numbers = npt.NDArray[np.int32]
Metres = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reach:
    """What a place reaches by climbing: hubs, each once, and how far they are."""

    hubs: Numbers
    units: Numbers


@dataclass(frozen=True, eq=False)
class Region:
    """A contracted graph (`services.roads.contraction`); its nodes are numbered by importance.

    Attributes:
        lat, lon: of the nodes, degrees, shape (n,).
        northward, latitudes: the nodes from south to north, and how far north those are.
        piece: a number for each piece of the graph that no road joins with the others, shape (n,).
        first, head, length: node i has the upward edges `first[i]:first[i + 1]`, which lead to
            `head` over `length` units.
    """

    lat: Metres
    lon: Metres
    northward: Numbers
    latitudes: Metres
    piece: Numbers
    # views, since they hand out Python's own integers ten times faster than arrays do
    first: memoryview
    head: memoryview
    length: memoryview

    def entries(self, lat: float, lon: float, within_m: float) -> tuple[Numbers, Metres]:
        """The nearest node of every piece around a place, and their straight distances."""
        reach = within_m / DEGREE_M
        south, north = np.searchsorted(self.latitudes, (lat - reach, lat + reach))
        strip = self.northward[south:north]
        # a degree of longitude is shortest at the poleward edge of the circle
        wide = reach / max(0.01, np.cos(np.radians(min(89.0, abs(lat) + reach))))
        strip = strip[np.abs(self.lon[strip] - lon) <= wide]
        metres = straight_m(lat, lon, self.lat[strip], self.lon[strip])
        order = np.argsort(metres, kind="stable")
        order = order[metres[order] <= within_m]
        _, nearest = np.unique(self.piece[strip[order]], return_index=True)
        chosen = order[nearest]
        return strip[chosen], metres[chosen]

    def climb(self, entries: Mapping[int, int]) -> Reach:
        """Everything above some nodes.

        Args:
            entries: {node: units from the place to it}.
        """
        first, head, length = self.first, self.head, self.length
        units = dict(entries)
        # numbers only rise along upward edges: the lowest waiting node is final
        waiting = sorted(units)
        while waiting:
            node = heappop(waiting)
            so_far = units[node]
            for edge in range(first[node], first[node + 1]):
                above, further = head[edge], so_far + length[edge]
                known = units.get(above)
                if known is None:
                    units[above] = further
                    heappush(waiting, above)
                elif further < known:
                    units[above] = further
        count = len(units)
        return Reach(
            np.fromiter(units.keys(), np.int32, count), np.fromiter(units.values(), np.int32, count)
        )


@lru_cache
def load(name: str) -> Region:
    """A region of `data/`, kept for the life of the process: 9 MB at most."""
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as file:
        points = _whole(file["points"]).reshape(2, -1) / 1000
        first = np.concatenate(([0], np.cumsum(file["degree"], dtype=np.int32)), dtype=np.int32)
        head, length = _whole(file["head"]), _whole(file["length"])
    northward = np.argsort(points[0], kind="stable").astype(np.int32)
    return Region(
        lat=points[0],
        lon=points[1],
        northward=northward,
        latitudes=points[0][northward],
        piece=_pieces(first, head),
        first=first.data,
        head=head.data,
        length=length.data,
    )


def _pieces(first: Numbers, head: Numbers) -> Numbers:
    """Each piece of the graph by its most important node, to which all of its nodes lead up."""
    top = np.arange(len(first) - 1, dtype=np.int32)
    rises = first[1:] > first[:-1]
    top[rises] = head[first[:-1][rises]]
    while True:
        higher = top[top]
        if (higher == top).all():
            return top
        top = higher


def _whole(planes: npt.NDArray[np.uint8]) -> Numbers:
    """Numbers out of their bytes, which lie in four rows from the lightest to the heaviest."""
    return np.ascontiguousarray(planes.T).view("<i4").reshape(-1).astype(np.int32)

"""Roads from the OpenStreetMap highway graph; great circles where it has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from services.roads import great_circle
from services.roads.great_circle import (
    SHORTEST_IS_NOT_FASTEST,
    Metres,
    driving_s,
    road_between_m,
    straight_between_m,
)
from services.roads.region import BOXES, UNIT_M, Reach, Region, load
from services.roads.table import OPEN_STREET_MAP, EstimatedTable, Remark

ACCESS_M = 30_000.0
"""A place further from any highway is beyond the graph."""

ACCESS_CIRCUITY = 1.3

ERROR_P90 = "0.08"

SHORT_HOP = 0.5
"""Where local roads make up more than this share of the straight way, highways say little."""

NO_WAY = 2**29
"""Units; sums of two still fit into 32 bits."""

Units = npt.NDArray[np.int32]
Check = Callable[[], None]


def _go_on() -> None:
    """Nobody stops it."""


class Highways:
    """Shortest ways by highway between places, with local roads at both ends.

    500 places take about a second and 10 MB besides the regions, which stay loaded.
    """

    def __init__(self, check: Check = _go_on) -> None:
        """
        Args:
            check: called for every place; what it raises ends the work.
        """
        self._check = check

    def table(self, places: Sequence[tuple[float, float]]) -> EstimatedTable:
        """Symmetric estimates between places given as (lat, lon) in degrees."""
        points = np.asarray(places, dtype=np.float64)
        straight = straight_between_m(points)
        guessed = road_between_m(points, straight)
        by_graph, access = self._by_graph(points)
        by_graph *= SHORTEST_IS_NOT_FASTEST
        local = access[:, None] + access[None, :]
        found = np.isfinite(by_graph)
        road = np.where(found, np.maximum(by_graph, straight), guessed)
        short = found & (local > SHORT_HOP * straight)
        road[short] = np.minimum(road, guessed)[short]
        return _told(driving_s(road, np.where(found, local, 0.0)), road, found)

    def _by_graph(self, points: Metres) -> tuple[Metres, Metres]:
        """Metres between all places, infinite without a way, and from each to its highway."""
        metres = np.full((len(points), len(points)), np.inf)
        access = np.zeros(len(points))
        for name, box in BOXES.items():
            lat, lon = points[:, 0], points[:, 1]
            inside = (lat >= box.south) & (lat <= box.north) & (lon >= box.west) & (lon <= box.east)
            if np.count_nonzero(inside) < 2:
                continue
            region = load(name)
            reaches: dict[int, Reach] = {}
            for i in np.flatnonzero(inside).tolist():
                self._check()
                nodes, away = region.entries(lat[i], lon[i], ACCESS_M)
                if len(nodes):
                    away = away * ACCESS_CIRCUITY
                    access[i] = away.min()
                    units = np.rint(away / UNIT_M).astype(int)
                    reaches[i] = region.climb(
                        dict(zip(nodes.tolist(), units.tolist(), strict=True))
                    )
            if len(reaches) > 1:
                self._meet(region, reaches, metres)
        np.fill_diagonal(metres, 0.0)
        return metres, access

    def _meet(self, region: Region, reaches: dict[int, Reach], metres: Metres) -> None:
        """Write the shortest ways between places: over the hub where two climbs meet best."""
        places = np.array(list(reaches))
        hubs = np.concatenate([reach.hubs for reach in reaches.values()])
        units = np.concatenate([reach.units for reach in reaches.values()])
        begins = np.cumsum([0, *(len(reach.hubs) for reach in reaches.values())])[:-1]
        from_here = np.full(len(region.lat), NO_WAY, dtype=np.int32)
        for k, place in enumerate(places[:-1]):
            self._check()
            reach = reaches[place]
            from_here[reach.hubs] = reach.units
            # symmetric, so only the places after this one
            rest = begins[k + 1]
            over = from_here[hubs[rest:]] + units[rest:]
            shortest = np.minimum.reduceat(over, begins[k + 1 :] - rest)
            from_here[reach.hubs] = NO_WAY
            row = np.where(shortest < NO_WAY, shortest * float(UNIT_M), np.inf)
            metres[place, places[k + 1 :]] = metres[places[k + 1 :], place] = row


def _told(seconds: Metres, road: Metres, found: npt.NDArray[np.bool_]) -> EstimatedTable:
    """The table with what is to be said of it: its least exact figures speak for all."""
    guesses = np.count_nonzero(~found) // 2
    if not guesses:
        return EstimatedTable.of(
            seconds, road, "highway_graph", ERROR_P90, attribution=OPEN_STREET_MAP
        )
    pairs = len(road) * (len(road) - 1) // 2
    if guesses == pairs:
        return EstimatedTable.of(seconds, road, "great_circle", great_circle.ERROR_P90)
    detail = (
        f"{guesses:,} of {pairs:,} pairs of places are estimated from the straight line, since no "
        "highway is near one of them or none joins them; the others follow highways."
    )
    return EstimatedTable.of(
        seconds,
        road,
        "great_circle",
        great_circle.ERROR_P90,
        (Remark("ROADS_PARTLY_ESTIMATED", detail),),
        OPEN_STREET_MAP,
    )

"""What the planner asks of the outside: how long and how far it is between places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tasks.plan_route.contract.request import OwnMatrix, RouteRequest
from tasks.plan_route.contract.result import Notice
from tasks.plan_route.contract.values import Place

IntTable = npt.NDArray[np.int64]
Source = Literal["own", "mapbox", "highway_graph", "great_circle"]


class RoadRemark(Protocol):
    """Something to know about the figures."""

    @property
    def code(self) -> str:
        """UPPER_SNAKE."""
        ...

    @property
    def detail(self) -> str:
        """One sentence for a person."""
        ...


class RoadTable(Protocol):
    """Durations and distances between n places; row from, column to, diagonal 0."""

    @property
    def durations_s(self) -> IntTable:
        """Shape (n, n), seconds by car."""
        ...

    @property
    def distances_m(self) -> IntTable:
        """Shape (n, n), metres."""
        ...

    @property
    def source(self) -> Source:
        """Where the figures come from."""
        ...

    @property
    def error_p90(self) -> str | None:
        """Nine of ten distances err by less than this share: "0.11"."""
        ...

    @property
    def remarks(self) -> Sequence[RoadRemark]:
        """What the traveller should know of the figures."""
        ...

    @property
    def attribution(self) -> str | None:
        """Whom to credit where the figures are shown."""
        ...


class RoadMatrix(Protocol):
    """A provider of tables."""

    def table(self, places: Sequence[tuple[float, float]]) -> RoadTable:
        """The table between places given as (lat, lon) in degrees."""
        ...


@dataclass(frozen=True, eq=False)
class KnownTable:
    """A table whose figures are at hand."""

    durations_s: IntTable
    distances_m: IntTable
    source: Source
    error_p90: str | None = None
    remarks: Sequence[RoadRemark] = ()
    attribution: str | None = None


def places_of(request: RouteRequest) -> list[tuple[float, float]]:
    """(lat, lon) of the start, the stops as given, then the end if it is a place."""
    points = [(request.start.lat, request.start.lon)]
    points += [(stop.lat, stop.lon) for stop in request.stops]
    if isinstance(request.end, Place):
        points.append((request.end.lat, request.end.lon))
    return points


def table_for(request: RouteRequest, roads: RoadMatrix) -> RoadTable:
    """The caller's own table, else that of `roads` at the speed of the vehicle."""
    if request.matrix is not None:
        return _own(request.matrix)
    table = roads.table(places_of(request))
    factor = request.vehicle.speed_factor
    if factor == 1:
        return table
    slower = np.rint(table.durations_s / factor).astype(np.int64)
    return KnownTable(
        slower,
        table.distances_m,
        table.source,
        table.error_p90,
        table.remarks,
        table.attribution,
    )


def notices_of(table: RoadTable) -> list[Notice]:
    """What the plan says of its roads, and whom it credits for them."""
    found = [Notice(code=remark.code, detail=remark.detail) for remark in table.remarks]
    if table.attribution is not None:
        found.append(Notice(code="ATTRIBUTION", detail=f"Roads: {table.attribution}"))
    return found


def _own(matrix: OwnMatrix) -> KnownTable:
    durations = np.array(matrix.durations_s, dtype=np.int64)
    distances = np.array(matrix.distances_m, dtype=np.int64)
    np.fill_diagonal(durations, 0)
    np.fill_diagonal(distances, 0)
    return KnownTable(durations, distances, "own")

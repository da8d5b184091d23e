"""A route request as numbers: nodes, arcs, windows and prizes in whole units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from tasks.plan_route.contract.request import DECIMALS, RouteRequest, Stop, Window
from tasks.plan_route.contract.values import Place
from tasks.plan_route.engine.roads import IntTable, RoadTable
from tasks.plan_route.engine.weekly import Weekly
from tasks.plan_route.engine.zones import zone_at

Order = list[int]
"""Stop nodes in the order of their visits."""

Windows = tuple[tuple[int, int], ...]
"""(opens, closes) in seconds after the departure, ascending, disjoint; empty: any time."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One vehicle that leaves node 0 at time 0 and visits nodes 1..n at most once.

    Costs are whole numbers of a unit small enough for all weights and prizes, so that
    every engine computes exactly and sums fit 64 bits.

    Attributes:
        durations: seconds, shape (m, m); m is n + 1, or n + 2 with an end of its own.
        arcs: cost of driving each arc by time and distance, in units, shape (m, m).
        elapsed: cost of each second between departure and the end of the trip, in units.
        service: seconds per node, from the start of the visit to the departure.
        windows: when the service of a node may start.
        prizes: what a visit earns, in units; 0 for required nodes.
        required: whether a node must be visited.
        end: node where the trip ends; 0 for a round trip, None for wherever it is.
        weekly: opening hours per node, on top of its windows; None: always open.
        unit: size of a unit, in 1/10**DECIMALS of the unit of the objective.
    """

    durations: IntTable
    arcs: IntTable
    elapsed: int
    service: tuple[int, ...]
    windows: tuple[Windows, ...]
    prizes: tuple[int, ...]
    required: tuple[bool, ...]
    end: int | None
    weekly: tuple[Weekly | None, ...]
    unit: int = 10**DECIMALS

    @property
    def n(self) -> int:
        """Number of stops."""
        return len(self.service) - 1

    @cached_property
    def timed(self) -> bool:
        """Whether it matters when a stop is reached."""
        return any(self.windows) or any(self.weekly)

    @cached_property
    def pure(self) -> bool:
        """Only the order is in question: no windows, nothing optional."""
        return not self.timed and all(self.required[1:])

    @cached_property
    def _seconds(self) -> list[list[int]]:
        rows: list[list[int]] = self.durations.tolist()
        return rows

    @cached_property
    def _costs(self) -> list[list[int]]:
        rows: list[list[int]] = self.arcs.tolist()
        return rows

    def begin(self, node: int, arrival: int) -> int | None:
        """When the service of `node` starts on arrival; None: too late for every window."""
        windows, weekly = self.windows[node], self.weekly[node]
        if not windows:
            return weekly.next(arrival) if weekly else arrival
        for opens, closes in windows:
            if arrival <= closes:
                start = max(arrival, opens)
                open_at = weekly.next(start) if weekly else start
                if open_at is not None and open_at <= closes:
                    return open_at
        return None

    def last_start(self, node: int) -> int | None:
        """The last second at which the service of a node with windows may start, if any."""
        weekly = self.weekly[node]
        for opens, closes in reversed(self.windows[node]):
            last = weekly.last(closes) if weekly else closes
            if last is not None and last >= opens:
                return last
        return None

    def value(self, order: Sequence[int]) -> int | None:
        """Cost less prizes of an order, in units; None where a window is missed."""
        cost = now = here = 0
        for node in order:
            cost += self._costs[here][node] - self.prizes[node]
            start = self.begin(node, now + self._seconds[here][node])
            if start is None:
                return None
            now, here = start + self.service[node], node
        if self.end is not None:
            cost += self._costs[here][self.end]
            now += self._seconds[here][self.end]
        return cost + self.elapsed * now

    def objective(self, value: int) -> float:
        """A value in the unit of the request's objective."""
        return float(value * self.unit / 10**DECIMALS)

    def is_complete(self, order: Sequence[int]) -> bool:
        """Whether every required stop is there, and none twice."""
        visited = set(order)
        missing = any(self.required[node] and node not in visited for node in range(1, self.n + 1))
        return not missing and len(visited) == len(order)


def build(request: RouteRequest, table: RoadTable) -> Problem:
    """The problem of a request over the table of its places."""
    weights = request.objective
    scaled = [_units(w) for w in (weights.driving, weights.elapsed, weights.distance)]
    prizes = [_units(stop.prize) for stop in request.stops]
    shared = math.gcd(*scaled, *prizes)
    driving, elapsed, distance = (w // shared for w in scaled)
    own_end = isinstance(request.end, Place)
    end = None if request.end == "any" else len(request.stops) + 1 if own_end else 0
    return Problem(
        durations=table.durations_s,
        arcs=driving * table.durations_s + distance * table.distances_m,
        elapsed=elapsed,
        service=(0, *(_stay_s(stop) for stop in request.stops)),
        windows=((), *(_relative(s.windows, request.depart_at) for s in request.stops)),
        prizes=(0, *(prize // shared for prize in prizes)),
        required=(False, *(stop.required for stop in request.stops)),
        end=end,
        weekly=(None, *(_weekly(stop, request.depart_at) for stop in request.stops)),
        unit=shared,
    )


def _stay_s(stop: Stop) -> int:
    """Without days a night is 24 hours; the visit is part of them."""
    return max(stop.service_s, stop.nights * 86_400)


def _weekly(stop: Stop, depart_at: datetime) -> Weekly | None:
    if not stop.opening:
        return None
    return Weekly(stop.opening, stop.zone or zone_at(stop.lat, stop.lon), depart_at)


def _units(weight: float) -> int:
    return round(weight * 10**DECIMALS)


def _relative(windows: Sequence[Window], depart_at: datetime) -> Windows:
    """Windows as whole seconds after the departure, the past cut off, neighbours joined.

    A window of which nothing is left becomes (0, -1), which nobody reaches.
    """
    second = timedelta(seconds=1)
    spans = sorted(
        (max(0, -((depart_at - w.start) // second)), (w.end - depart_at) // second) for w in windows
    )
    joined: list[tuple[int, int]] = []
    for opens, closes in spans:
        if opens > closes:
            continue
        if joined and opens <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(closes, joined[-1][1]))
        else:
            joined.append((opens, closes))
    return tuple(joined) or (((0, -1),) if windows else ())


def path_cost(table: IntTable, nodes: Sequence[int]) -> int:
    """Sum of a table along consecutive nodes."""
    return sum([int(table[a, b]) for a, b in pairwise(nodes)])

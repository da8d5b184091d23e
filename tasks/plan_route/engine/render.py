"""A trip as the plan that the traveller reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from tasks.plan_route.contract.request import RouteRequest
from tasks.plan_route.contract.result import (
    Baseline,
    Leg,
    MatrixOrigin,
    Quality,
    RoutePlan,
    Skipped,
    Totals,
    Visit,
)
from tasks.plan_route.contract.values import Money, Place
from tasks.plan_route.engine import fuel, geo
from tasks.plan_route.engine.itinerary import Itinerary, path
from tasks.plan_route.engine.problem import Order, Problem, path_cost
from tasks.plan_route.engine.roads import RoadTable, notices_of
from tasks.plan_route.engine.skipped import reasons
from tasks.plan_route.engine.zones import zone_at


@dataclass(frozen=True, eq=False)
class Renderer:
    """Writes plans of one request."""

    request: RouteRequest
    table: RoadTable
    problem: Problem

    def plan(self, trip: Itinerary, quality: Quality, explain: bool = True) -> RoutePlan:
        """The plan of a trip.

        Args:
            trip: when everything happens.
            quality: how the order came about.
            explain: with the map, and with the reasons for skipped stops.
        """
        order = [stay.node for stay in trip.stays]
        legs = self._legs(trip)
        return RoutePlan(
            visits=self._visits(trip),
            legs=legs,
            days=trip.days,
            skipped=self._skipped(order, explain),
            violations=trip.violations,
            totals=self._totals(trip),
            baseline=self.baseline,
            objective=self.problem.objective(self.value(order, trip.ends)),
            quality=quality,
            matrix=MatrixOrigin(source=self.table.source, error_p90=self.table.error_p90),
            geojson=self._map(order, legs) if explain else {},
            warnings=[*fuel.notices(self.request, legs), *notices_of(self.table)],
        )

    def value(self, order: Order, ends: int) -> int:
        """The objective of a trip that is over at second `ends`, in units of the problem."""
        prizes = sum(self.problem.prizes[node] for node in order)
        driven = path_cost(self.problem.arcs, path(self.problem, order))
        return driven + self.problem.elapsed * ends - prizes

    @cached_property
    def baseline(self) -> Baseline:
        """The stops in the order in which they were given."""
        nodes = path(self.problem, range(1, self.problem.n + 1))
        return Baseline(
            driving_s=path_cost(self.table.durations_s, nodes),
            distance_m=path_cost(self.table.distances_m, nodes),
        )

    @cached_property
    def _zones(self) -> list[str]:
        return [stop.zone or zone_at(stop.lat, stop.lon) for stop in self.request.stops]

    def _key(self, node: int) -> str:
        if node == 0:
            return "start"
        return "end" if node > self.problem.n else self.request.stops[node - 1].id

    def _visits(self, trip: Itinerary) -> list[Visit]:
        depart_at = self.request.depart_at
        return [
            Visit(
                stop_id=self._key(stay.node),
                arrive_at=depart_at + timedelta(seconds=stay.arrives),
                wait_s=stay.starts - stay.arrives,
                start_at=depart_at + timedelta(seconds=stay.starts),
                depart_at=depart_at + timedelta(seconds=stay.leaves),
                zone=self._zones[stay.node - 1],
                day=stay.day,
            )
            for stay in trip.stays
        ]

    def _legs(self, trip: Itinerary) -> list[Leg]:
        return [
            Leg(
                from_=self._key(a),
                to=self._key(b),
                duration_s=int(self.table.durations_s[a, b]),
                distance_m=int(self.table.distances_m[a, b]),
                day=day,
            )
            for (a, b), day in zip(pairwise(trip.nodes), trip.leg_days, strict=True)
        ]

    def _totals(self, trip: Itinerary) -> Totals:
        distance_m = path_cost(self.table.distances_m, trip.nodes)
        litres, cost = fuel.use(self.request.vehicle, distance_m)
        return Totals(
            driving_s=path_cost(self.table.durations_s, trip.nodes),
            distance_m=distance_m,
            wait_s=sum(stay.starts - stay.arrives for stay in trip.stays),
            service_s=sum(self.request.stops[stay.node - 1].service_s for stay in trip.stays),
            elapsed_s=trip.ends,
            days=trip.last_day,
            nights_cost=self._nights_cost(trip),
            fuel_l=litres,
            fuel_cost=cost,
        )

    def _nights_cost(self, trip: Itinerary) -> list[Money]:
        sums: dict[str, Decimal] = {}
        for node in trip.nights:
            price = self.request.stops[node - 1].night_cost if node else None
            if price is not None:
                sums[price.currency] = sums.get(price.currency, Decimal(0)) + Decimal(price.amount)
        return [Money(amount=str(total), currency=name) for name, total in sorted(sums.items())]

    def _skipped(self, order: Order, explain: bool) -> list[Skipped]:
        problem = self.problem
        if self.request.limits is not None:  # its windows are kept with nights in between
            n = problem.n + 1
            problem = replace(problem, windows=((),) * n, weekly=(None,) * n)
        found = reasons(problem, order) if explain else {}
        visited = set(order)
        return [
            Skipped(stop_id=self._key(node), reason=found.get(node, "Not worth the detour so far"))
            for node in range(1, self.problem.n + 1)
            if node not in visited
        ]

    def _map(self, order: Order, legs: Sequence[Leg]) -> dict[str, object]:
        places: list[tuple[str, str, float, float]] = []
        start, end = self.request.start, self.request.end
        places.append(("start", start.name, start.lat, start.lon))
        for node in order:
            stop = self.request.stops[node - 1]
            places.append((stop.id, stop.name, stop.lat, stop.lon))
        if isinstance(end, Place):
            places.append(("end", end.name, end.lat, end.lon))
        return geo.collection([geo.Spot(*place) for place in places], legs, end == "start")

"""When everything of a trip happens: what engines decide, before it is written as a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tasks.plan_route.contract.request import RouteRequest
from tasks.plan_route.contract.result import Day, Violation
from tasks.plan_route.engine.problem import Order, Problem
from tasks.plan_route.engine.roads import RoadTable
from tasks.plan_route.engine.zones import zone_at


@dataclass(frozen=True)
class Stay:
    """A visit in seconds after the departure, and the day of the trip on which it begins."""

    node: int
    arrives: int
    starts: int
    leaves: int
    day: int


@dataclass
class Itinerary:
    """A trip in its order.

    Attributes:
        nodes: start, stops in their order, end if there is one.
        stays: the visits.
        leg_days: the day on which each leg begins.
        days: the days of the trip.
        ends: the second at which it is over.
        last_day: the day of that.
        violations: what the plan does not keep.
        nights: node of each paid night.
    """

    nodes: Order
    stays: list[Stay] = field(default_factory=list)
    leg_days: list[int] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    ends: int = 0
    last_day: int = 1
    violations: list[Violation] = field(default_factory=list)
    nights: list[int] = field(default_factory=list)


def path(problem: Problem, order: Sequence[int]) -> Order:
    """The nodes from the start to the end of the trip."""
    return [0, *order, *([] if problem.end is None else [problem.end])]


class DriveOn:
    """Trips without limits: on and on, days are dates in the zone of the departure."""

    def __init__(self, request: RouteRequest, table: RoadTable, problem: Problem) -> None:
        """The zone of the departure is that of the start, unless the request says so."""
        self.request, self.table, self.problem = request, table, problem
        start = request.start
        self._home = ZoneInfo(request.zone or zone_at(start.lat, start.lon))
        self._first = self._date(0)

    def itinerary(self, order: Order) -> Itinerary:
        """The trip for an order that is in time everywhere."""
        trip = Itinerary(path(self.problem, order))
        now = 0
        for here, node in pairwise(trip.nodes):
            trip.leg_days.append(self._day(now))
            now += int(self.table.durations_s[here, node])
            if len(trip.stays) == len(order):
                break
            start = self.problem.begin(node, now)
            assert start is not None, "only feasible orders are rendered"
            leaves = start + self.problem.service[node]
            trip.stays.append(Stay(node, now, start, leaves, self._day(now)))
            now = leaves
        trip.ends, trip.last_day = now, self._day(now)
        trip.days = self._days(trip)
        return trip

    def _date(self, second: int) -> date:
        moment = self.request.depart_at + timedelta(seconds=second)
        return moment.astimezone(self._home).date()

    def _day(self, second: int) -> int:
        return (self._date(second) - self._first).days + 1

    def _days(self, trip: Itinerary) -> list[Day]:
        """Days on which a leg or a visit begins; a leg counts on the day on which it begins."""
        driven: dict[int, list[int]] = {stay.day: [0, 0] for stay in trip.stays}
        for (a, b), day in zip(pairwise(trip.nodes), trip.leg_days, strict=True):
            sums = driven.setdefault(day, [0, 0])
            sums[0] += int(self.table.durations_s[a, b])
            sums[1] += int(self.table.distances_m[a, b])
        return [
            Day(
                day=day,
                date=self._first + timedelta(days=day - 1),
                driving_s=seconds,
                distance_m=metres,
            )
            for day, (seconds, metres) in sorted(driven.items())
        ]

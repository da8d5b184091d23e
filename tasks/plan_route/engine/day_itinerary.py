"""A split as the trip of its days: nights, driving per day, and every violation by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tasks.plan_route.contract.request import RouteRequest
from tasks.plan_route.contract.result import Day, Night, Violation
from tasks.plan_route.engine import day_split
from tasks.plan_route.engine.day_rules import DayRules, Drive, Fault
from tasks.plan_route.engine.itinerary import Itinerary, Stay, path
from tasks.plan_route.engine.problem import Problem

BEFORE = {
    "DRIVING_LIMIT": "within the driving time of a day",
    "DISTANCE_LIMIT": "within the distance of a day",
    "DAY_END": "before the end of the day",
}
WORDS = {
    "DRIVING_LIMIT": "the driving time of a day",
    "DISTANCE_LIMIT": "the distance of a day",
    "DAY_END": "the end of the day",
}


class DayByDay:
    """Writes the trips of one request with limits."""

    def __init__(self, request: RouteRequest, problem: Problem, rules: DayRules) -> None:
        self.request, self.problem, self.rules = request, problem, rules

    def itinerary(self, order: Sequence[int], split: day_split.Split) -> Itinerary:
        """The trip of an order and its split."""
        trip = Itinerary(path(self.problem, order))
        first = self.rules.spots[0].clock.day_of(0)
        trip.days.append(_day(1, first))
        reached = first
        for here, node, stay in zip(trip.nodes, trip.nodes[1:], split.stays[1:], strict=False):
            drive = stay.drive
            assert drive is not None, "only the start is not driven to"
            self._sleep(trip, here, reached, drive.day)
            if trip.stays:
                trip.stays[-1] = _left(trip.stays[-1], drive.leaves)
            self._drive(trip, here, node, drive)
            if len(trip.stays) < len(order):
                self._visit(trip, node, stay)
            reached = drive.there
        if split.stays[1:] and len(trip.stays) == len(trip.nodes) - 1:  # ends at its last stop
            self._sleep(trip, trip.nodes[-1], reached, split.stays[-1].ready)
            trip.stays[-1] = _left(trip.stays[-1], split.ends)
        trip.ends, trip.last_day = split.ends, len(trip.days)
        return trip

    def _key(self, node: int) -> str:
        if node == 0:
            return "start"
        return "end" if node > self.problem.n else self.request.stops[node - 1].id

    def _name(self, node: int) -> str:
        if 0 < node <= self.problem.n:
            return self.request.stops[node - 1].name or self.request.stops[node - 1].id
        return "the end" if node else "the start"

    def _sleep(self, trip: Itinerary, node: int, reached: int, left: int) -> None:
        """Nights at a place from the day it was reached until the day it is left."""
        spot = self.rules.spots[node]
        for morning in range(reached + 1, left + 1):
            today = trip.days[-1]
            if spot.overnight:
                price = self.request.stops[node - 1].night_cost if node else None
                today.night = Night(stop_id=self._key(node), cost=price)
                trip.nights.append(node)
            else:
                today.night = Night(stop_id=None)
                detail = f"The night is spent at {self._name(node)}, where none is allowed"
                trip.violations.append(
                    Violation(
                        code="NIGHT_NOT_ALLOWED",
                        stop_id=self._key(node),
                        day=today.day,
                        detail=detail,
                    )
                )
            trip.days.append(_day(today.day + 1, morning))

    def _drive(self, trip: Itinerary, here: int, node: int, drive: Drive) -> None:
        leg, driven = self.rules.leg(here, node), 0
        trip.leg_days.append(trip.days[-1].day)
        for part, seconds in enumerate(drive.parts):
            if part:
                trip.days[-1].night = Night(stop_id=None)
                trip.days.append(_day(trip.days[-1].day + 1, drive.day + part))
            today = trip.days[-1]
            today.driving_s += seconds
            last = part == len(drive.parts) - 1
            until = leg.metres if last else leg.metres_at(driven + seconds)
            today.distance_m += until - (leg.metres_at(driven) if part else 0)
            driven += seconds
            for fault in drive.faults:
                if fault.part == part:
                    trip.violations.append(self._violation(fault, today.day, node, not last))

    def _violation(self, fault: Fault, day: int, node: int, roadside: bool) -> Violation:
        much = _hours(fault.by_s)
        if fault.by_m is not None and fault.code == "DISTANCE_LIMIT":
            much = f"{fault.by_m / 1000:,.1f} km"
        where = self._name(node)
        if roadside:
            detail = (
                f"Day {day} ends by the road, {much} before {where}: "
                f"no place for the night is in reach {BEFORE[fault.code]}"
            )
        else:
            detail = f"Day {day} goes {much} over {WORDS[fault.code]} to reach {where}"
        return Violation(
            code=fault.code,
            day=day,
            by_s=fault.by_s,
            by_m=fault.by_m if fault.code == "DISTANCE_LIMIT" else None,
            detail=detail,
        )

    def _visit(self, trip: Itinerary, node: int, stay: day_split.Stay) -> None:
        assert stay.drive is not None, "stops are driven to"
        today = trip.days[-1].day
        trip.stays.append(Stay(node, stay.drive.arrives, stay.starts, stay.starts, today))
        if stay.late_s is None:
            return
        detail = f"{self._name(node)} is reached {_hours(stay.late_s)} after it was last open"
        if stay.late_s < 0:
            detail = f"{self._name(node)} has no opening hours within its windows"
        trip.violations.append(
            Violation(
                code="WINDOW_MISSED",
                stop_id=self._key(node),
                day=today,
                by_s=None if stay.late_s < 0 else stay.late_s,
                detail=detail,
            )
        )


def _day(number: int, ordinal: int) -> Day:
    return Day(day=number, date=date.fromordinal(ordinal), driving_s=0, distance_m=0)


def _left(stay: Stay, leaves: int) -> Stay:
    return Stay(stay.node, stay.arrives, stay.starts, leaves, stay.day)


def _hours(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"

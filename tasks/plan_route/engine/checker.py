"""Whether a plan is what it says: an independent count over the request and the roads.

Nothing here comes from the solvers or from the code that renders plans. It reads the
finished plan as a client would, and computes every time and sum again with datetimes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from tasks.plan_route.contract.request import RouteRequest, Stop
from tasks.plan_route.contract.result import RoutePlan, Violation, Visit
from tasks.plan_route.engine import opening_check
from tasks.plan_route.engine.day_checker import DayCheck
from tasks.plan_route.engine.roads import RoadTable


def faults(request: RouteRequest, table: RoadTable, plan: RoutePlan) -> list[str]:
    """Everything that is wrong with a plan; empty for a plan that may be kept.

    Args:
        request: what was asked for.
        table: the roads that the plan was made on, at the speed of the vehicle.
        plan: the plan to check.
    """
    unknown = _wrong_stops(request, plan)
    if unknown:
        return unknown  # the rest could not even be looked up
    found = [
        *_wrong_legs(request, table, plan),
        *_wrong_times(request, plan),
        *_wrong_sums(request, plan),
    ]
    if request.limits is None:
        if plan.violations or any(day.night for day in plan.days):
            found.append("a trip without limits has nights or violations")
    elif not found:
        found = DayCheck(request, plan).faults()
    return found


def _wrong_stops(request: RouteRequest, plan: RoutePlan) -> list[str]:
    asked = {stop.id: stop for stop in request.stops}
    visited = [visit.stop_id for visit in plan.visits]
    skipped = [stop.stop_id for stop in plan.skipped]
    every = visited + skipped
    found = [f"{key} is not a stop" for key in set(every) - asked.keys()]
    found += [f"{key} is neither visited nor skipped" for key in asked.keys() - set(every)]
    found += [f"{key} appears twice" for key in set(every) if every.count(key) > 1]
    for stop in plan.skipped:
        if stop.stop_id in asked and asked[stop.stop_id].required:
            found.append(f"{stop.stop_id} is required and skipped")
        if not stop.reason:
            found.append(f"{stop.stop_id} is skipped without a reason")
    return found


def _path(request: RouteRequest, plan: RoutePlan) -> list[tuple[str, int]]:
    """(name, row of the matrix) along the trip."""
    row = {stop.id: i for i, stop in enumerate(request.stops, start=1)}
    path = [("start", 0)] + [(visit.stop_id, row[visit.stop_id]) for visit in plan.visits]
    if request.end == "start":
        path.append(("start", 0))
    elif request.end != "any":
        path.append(("end", len(request.stops) + 1))
    return path


def _wrong_legs(request: RouteRequest, table: RoadTable, plan: RoutePlan) -> Iterator[str]:
    path = _path(request, plan)
    if len(plan.legs) != len(path) - 1:
        yield f"{len(plan.legs)} legs for {len(path)} places"
        return
    for i, leg in enumerate(plan.legs):
        (a, row), (b, column) = path[i], path[i + 1]
        if (leg.from_, leg.to) != (a, b):
            yield f"leg {i} goes from {leg.from_} to {leg.to}, not from {a} to {b}"
        seconds, metres = table.durations_s[row][column], table.distances_m[row][column]
        if leg.duration_s != seconds:
            yield f"leg {i} takes {leg.duration_s} s, the matrix says {seconds}"
        if leg.distance_m != metres:
            yield f"leg {i} has {leg.distance_m} m, the matrix says {metres}"


def _wrong_times(request: RouteRequest, plan: RoutePlan) -> Iterator[str]:
    stops = {stop.id: stop for stop in request.stops}
    by_days = request.limits is not None
    now = request.depart_at
    for visit, leg in zip(plan.visits, plan.legs, strict=False):
        now += timedelta(seconds=leg.duration_s)
        stop = stops[visit.stop_id]
        if visit.arrive_at < now or (visit.arrive_at != now and not by_days):
            yield f"{stop.id} is reached at {now}, not at {visit.arrive_at}"
        if visit.start_at != visit.arrive_at + timedelta(seconds=visit.wait_s) or visit.wait_s < 0:
            yield f"{stop.id} has a wait of {visit.wait_s} s that does not fit its times"
        yield from _wrong_leaving(request, stop, visit)
        missed = [v.by_s for v in plan.violations if _is_miss(v, stop.id)]
        yield from opening_check.wrong_start(stop, visit, missed)
        now = visit.depart_at


def _is_miss(violation: Violation, stop_id: str) -> bool:
    return violation.code == "WINDOW_MISSED" and violation.stop_id == stop_id


def _wrong_leaving(request: RouteRequest, stop: Stop, visit: Visit) -> Iterator[str]:
    """Without limits the visit is left when it is over; with them, or on a later morning."""
    served = visit.start_at + timedelta(seconds=stop.service_s)
    if request.limits is None:
        served = visit.start_at + max(timedelta(seconds=stop.service_s), timedelta(stop.nights))
        if visit.depart_at != served:
            yield f"{stop.id} does not have its service of {stop.service_s} s"
    elif visit.depart_at < served:
        yield f"{stop.id} does not have its service of {stop.service_s} s"


def _wrong_sums(request: RouteRequest, plan: RoutePlan) -> Iterator[str]:
    totals = plan.totals
    ends_at = _end(request, plan)
    service = {stop.id: stop.service_s for stop in request.stops}
    expected: dict[str, int] = {
        "driving_s": sum(leg.duration_s for leg in plan.legs),
        "distance_m": sum(leg.distance_m for leg in plan.legs),
        "wait_s": sum(visit.wait_s for visit in plan.visits),
        "service_s": sum(service[visit.stop_id] for visit in plan.visits),
        "elapsed_s": (ends_at - request.depart_at) // timedelta(seconds=1),
    }
    for name, value in expected.items():
        if getattr(totals, name) != value:
            yield f"totals.{name} is {getattr(totals, name)}, not {value}"
    for name in ("driving_s", "distance_m"):
        if sum(getattr(day, name) for day in plan.days) != expected[name]:
            yield f"the days do not add up to the {name} of the trip"
    worth = _worth(request, plan)
    if abs(Decimal(repr(plan.objective)) - worth) > Decimal("1e-6") * max(Decimal(1), abs(worth)):
        yield f"the objective is {plan.objective}, not {worth}"
    bound = plan.quality.lower_bound
    if bound is not None and bound > plan.objective + 1e-6 * max(1.0, abs(bound)):
        yield f"the objective {plan.objective} is below its lower bound {bound}"


def _end(request: RouteRequest, plan: RoutePlan) -> datetime:
    """When the trip is over."""
    if request.limits is not None and request.end != "any":
        return request.depart_at + timedelta(seconds=plan.totals.elapsed_s)  # seen with the days
    leaves = plan.visits[-1].depart_at if plan.visits else request.depart_at
    if request.end == "any" or not plan.legs:
        return leaves
    return leaves + timedelta(seconds=plan.legs[-1].duration_s)


def _worth(request: RouteRequest, plan: RoutePlan) -> Decimal:
    """The objective, from the weights as they were written."""
    weights, totals = request.objective, plan.totals
    visited = {visit.stop_id for visit in plan.visits}
    prizes = [Decimal(repr(stop.prize)) for stop in request.stops if stop.id in visited]
    return (
        Decimal(repr(weights.driving)) * totals.driving_s
        + Decimal(repr(weights.elapsed)) * totals.elapsed_s
        + Decimal(repr(weights.distance)) * totals.distance_m
        - sum(prizes, Decimal(0))
    )

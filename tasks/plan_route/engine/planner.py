"""Plan a route: read the roads, search an order, say when everything happens, check, answer."""

from __future__ import annotations

import logging
from functools import partial

from core.kind import JobFailed, Run
from tasks.plan_route.contract.request import RouteRequest
from tasks.plan_route.contract.result import RoutePlan
from tasks.plan_route.engine import checker, conflicts, engines
from tasks.plan_route.engine.conflicts import Conflict
from tasks.plan_route.engine.day_planner import plan_days
from tasks.plan_route.engine.engines import Choice
from tasks.plan_route.engine.itinerary import DriveOn
from tasks.plan_route.engine.problem import Order, Problem, build
from tasks.plan_route.engine.publishing import publisher
from tasks.plan_route.engine.render import Renderer
from tasks.plan_route.engine.resuming import Memory
from tasks.plan_route.engine.roads import RoadMatrix, table_for
from tasks.plan_route.engine.search import Search

log = logging.getLogger(__name__)

MAX_NAMED = 9  # stops that an error message names; its `stops` has them all


def plan(request: RouteRequest, *, run: Run, roads: RoadMatrix) -> RoutePlan:
    """The best plan found within the budget.

    Args:
        request: a valid request.
        run: the job around it; asked at least every half second, told of improvements.
        roads: where durations and distances come from if the request brings none.

    Raises:
        JobFailed: INFEASIBLE, without limits, with `stops` in conflict and whether that is
            `proven`; TRIP_TOO_LONG, with limits; PLAN_REJECTED, where the checker found a
            fault of the engine.
        RunStopped: the job was cancelled.
    """
    table = table_for(request, roads)
    renderer = Renderer(request, table, build(request, table))
    if request.limits is None:
        answer = _driving_on(renderer, run)
    else:
        answer = plan_days(renderer, request.limits, run)
    if wrong := checker.faults(request, table, answer):
        log.error("plan_route rejected its plan: %s", "; ".join(wrong))
        raise JobFailed(
            "PLAN_REJECTED",
            "The plan did not pass its check; this is a fault of ours",
            status=500,
            extra={"faults": wrong[:20]},
        )
    return answer


def _driving_on(renderer: Renderer, run: Run) -> RoutePlan:
    """The plan of a trip without limits."""
    request, problem = renderer.request, renderer.problem
    choice = engines.announced(problem, run)
    trips = DriveOn(request, renderer.table, problem)
    publish = publisher(run, renderer, choice.engine, trips.itinerary)
    memory = Memory(run, problem)
    search = Search(
        problem,
        run,
        request.budget_s,
        request.seed,
        publish,
        remember=partial(memory.save, "all"),
        known=memory.orders,
        already_s=memory.spent_s,
    )
    conflict = conflicts.obvious(problem)
    if conflict is None:
        late = engines.solve(choice, problem, search)
        if search.best is None:
            conflict = _explained(choice, problem, late)
    if search.best is None or search.value is None:
        raise _infeasible(request, conflict)
    quality = engines.quality(choice, problem, search.value, search.bound, proven=search.proven)
    return renderer.plan(trips.itinerary(search.best), quality)


def _explained(choice: Choice, problem: Problem, late: Order | None) -> Conflict:
    """Which stops are in conflict, where nothing was found."""
    if choice.engine == "exact_dp":
        return conflicts.of_few(problem)
    everything: Order = [node for node in range(1, problem.n + 1) if problem.required[node]]
    return conflicts.explain(problem, late or everything)


def _infeasible(request: RouteRequest, conflict: Conflict | None) -> JobFailed:
    nodes = () if conflict is None else conflict.stops
    ids = [request.stops[node - 1].id for node in nodes]
    labels = [request.stops[node - 1].name or request.stops[node - 1].id for node in nodes]
    more = f" and {len(labels) - MAX_NAMED} more" if len(labels) > MAX_NAMED else ""
    names = ", ".join(labels[:MAX_NAMED]) + more
    proven = conflict is not None and conflict.proven
    if not proven:
        detail = f"No plan was found that is in time everywhere; too late would be: {names}"
    elif len(ids) == 1:
        detail = f"No window of {names} can be reached in time"
    else:
        detail = f"No order is in time for all of these stops: {names}"
    return JobFailed("INFEASIBLE", detail, extra={"stops": ids, "proven": proven})

"""Orders with windows and optional stops, by the library PyVRP.

Wouda, Lan and Kool (2024), "PyVRP: a high-performance VRP solver package", INFORMS
Journal on Computing 36:943. Version 0.14 is an iterated local search that accepts late
(Burke and Bykov 2017, European Journal of Operational Research 258:70).
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from pyvrp import (
    CostEvaluator,
    IteratedLocalSearch,
    IteratedLocalSearchCallbacks,
    IteratedLocalSearchParams,
    PenaltyManager,
    PenaltyParams,
    RandomNumberGenerator,
    Solution,
)
from pyvrp.search import (
    OPERATORS,
    LocalSearch,
    NeighbourhoodParams,
    PerturbationManager,
    PerturbationParams,
    compute_neighbours,
)

from tasks.plan_route.engine import ordering
from tasks.plan_route.engine.problem import Order, Problem
from tasks.plan_route.engine.pyvrp_model import Model, model
from tasks.plan_route.engine.search import Search

LOOK_EVERY_S = 0.02  # an iteration takes about 1 ms; a look at the job need not be as often
FEW_CLIENTS = 100
"""Up to here the first local search takes under 0.05 s from any order (1 to 2 s at 500)."""


def solve(problem: Problem, search: Search) -> Order:
    """Offer ever better orders to `search` until it says stop.

    Args:
        problem: at least one stop.
        search: receives the orders.

    Returns:
        The order that was least late, where `search` was offered none in time.

    Raises:
        RunStopped: the job was cancelled.
    """
    search.bound = _trivial_bound(problem)
    search.offer([])  # staying at home, where nothing is required
    search.offer(range(1, problem.n + 1))
    vrp = model(problem)
    watch = _Watch(vrp, search)
    params = PenaltyParams()
    penalties = PenaltyManager(params.midpoint_penalties(vrp.data), params)
    local = _local_search(vrp, search.seed)
    first = local(_first(vrp, search), penalties.max_cost_evaluator(), exhaustive=True)
    watch.see(first)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of penalties at their bound: our checks come after
        IteratedLocalSearch(
            vrp.data, penalties, local, first, IteratedLocalSearchParams(callbacks=watch)
        ).run(watch, collect_stats=False)
    return watch.least_late


class _Watch(IteratedLocalSearchCallbacks):
    """Between the library and the search: hands orders over, and says when it is enough."""

    def __init__(self, vrp: Model, search: Search) -> None:
        self.least_late: Order = []
        self._lateness: int | None = None
        self._vrp = vrp
        self._search = search
        self._looked_at = 0.0

    def see(self, solution: Solution) -> None:
        """Offer a solution if it is feasible, else remember the one that is least late."""
        if solution.is_feasible():
            self._search.offer(self._vrp.order(solution))
        elif self._search.best is None and solution.is_complete():
            late = solution.time_warp()
            if self._lateness is None or late < self._lateness:
                self._lateness, self.least_late = late, self._vrp.order(solution)

    def __call__(self, best_cost: float) -> bool:  # noqa: ARG002
        """The stopping criterion of the library: True is enough."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return False
        going_on = self._search.go_on()
        self._looked_at = time.monotonic()
        return not going_on

    def on_best(self, best: Solution) -> None:
        self.see(best)

    def on_iteration(
        self,
        current: Solution,  # noqa: ARG002
        candidate: Solution,
        best: Solution,  # noqa: ARG002
        cost_evaluator: CostEvaluator,  # noqa: ARG002
    ) -> None:
        if self._search.best is None:
            self.see(candidate)


def _local_search(vrp: Model, seed: int) -> LocalSearch:
    random = RandomNumberGenerator(seed=seed)
    neighbours = compute_neighbours(vrp.data, NeighbourhoodParams())
    local = LocalSearch(vrp.data, random, neighbours, PerturbationManager(PerturbationParams()))
    for operator in OPERATORS:
        if operator.supports(vrp.data):
            local.add_operator(operator(vrp.data))
    return local


def _first(vrp: Model, search: Search) -> Solution:
    """Where to start from, so that the first local search takes less than half a second.

    Where an earlier attempt stood. Else, few clients: anywhere. Mostly windows: in their order.
    Few windows: a short tour.
    """
    if search.resumed is not None:
        return vrp.solution(search.resumed)
    if len(vrp.stop_of) <= FEW_CLIENTS:
        return Solution.make_random(vrp.data, RandomNumberGenerator(seed=search.seed))
    problem = vrp.problem
    by_window = _by_window(problem)
    if 2 * len(by_window) > problem.n:
        return vrp.solution(by_window)
    tour = ordering.first_guess(problem, search)
    if tour is None:
        return Solution.make_random(vrp.data, RandomNumberGenerator(seed=search.seed))
    both = [vrp.solution(tour), vrp.solution(tour[::-1])]
    return min(both, key=lambda solution: solution.time_warp())


def _by_window(problem: Problem) -> Order:
    """The stops with windows by the middle of their last window; the others join later."""
    windowed = [node for node in range(1, problem.n + 1) if problem.windows[node]]
    return sorted(windowed, key=lambda node: sum(problem.windows[node][-1]))


def _trivial_bound(problem: Problem) -> int:
    """Whatever is visited: required stops are reached by their best arc, prizes are won."""
    inward = problem.arcs + np.diag(np.full(len(problem.arcs), np.iinfo(np.int64).max // 4))
    least = inward.min(axis=0)
    total = 0
    for node in range(1, problem.n + 1):
        gain = int(least[node]) - problem.prizes[node]
        total += gain if problem.required[node] else min(0, gain)
    if problem.end is None or (problem.end == 0 and not any(problem.required)):
        return total
    return total + int(least[problem.end])

"""Every engine against all orders of small random problems."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest
from hypothesis import assume, given, settings
from pydantic import ValidationError

from core.kind import JobFailed
from services.roads import GreatCircle
from tasks.plan_route.contract import RouteRequest
from tasks.plan_route.engine import ordering, windows
from tasks.plan_route.engine.problem import Order, Problem, build
from tasks.plan_route.engine.roads import table_for
from tasks.plan_route.engine.search import Search
from tests.tasks.plan_route.asking import FakeRun, ask
from tests.tasks.plan_route.bodies import body, optional, small_bodies, stop

PATIENCE_S = (
    10  # the heuristics find the best of few stops in milliseconds, if the machine lets them
)


class UntilBest(FakeRun):
    """A job that is finished by hand once the search has found what there is to find."""

    def __init__(self, best: int) -> None:
        super().__init__()
        self.best = best
        self.search: Search | None = None

    @property
    def finish_requested(self) -> bool:
        return self.search is not None and self.search.value == self.best


def searched(problem: Problem, best: int) -> Search:
    """The search of the engine for large problems, ended at the best value."""
    run = UntilBest(best)
    run.search = Search(problem, run, PATIENCE_S)
    (ordering if problem.pure else windows).solve(problem, run.search)
    return run.search


def problem_of(body: dict[str, Any]) -> Problem:
    """The problem of a body that may be infeasible by inspection."""
    try:
        request = RouteRequest.model_validate(body)
    except ValidationError:
        assume(False)
    return build(request, table_for(request, GreatCircle()))


def orders(problem: Problem) -> Iterator[Order]:
    """All orders of all sets of stops that have the required ones."""
    nodes = range(1, problem.n + 1)
    for size in range(problem.n + 1):
        for order in permutations(nodes, size):
            if problem.is_complete(order):
                yield list(order)


def best_of_all(problem: Problem) -> int | None:
    """The smallest value of all orders; None if all are late."""
    values = (problem.value(order) for order in orders(problem))
    return min((value for value in values if value is not None), default=None)


@settings(max_examples=150, deadline=None)
@given(small_bodies())
def test_exact_plans_are_the_best_of_all_orders(body: dict[str, Any]) -> None:
    problem = problem_of(body)
    best = best_of_all(problem)
    if best is None:
        with pytest.raises(JobFailed) as failure:
            ask(body)
        assert failure.value.code == "INFEASIBLE"
        assert failure.value.extra["proven"] is True
        assert failure.value.extra["stops"]
    else:
        plan = ask(body)
        assert plan.objective == problem.objective(best)
        assert plan.quality.engine == "exact_dp"
        assert plan.quality.proven_optimal
        assert plan.quality.gap == 0


@settings(max_examples=40, deadline=None)
@given(small_bodies())
def test_heuristics_agree_and_never_claim_too_much(body: dict[str, Any]) -> None:
    problem = problem_of(body)
    best = best_of_all(problem)
    if best is None:
        return
    search = searched(problem, best)
    assert search.value == best
    assert search.bound is None or search.bound <= best


@pytest.mark.parametrize("end", ["start", "any", {"lat": 0, "lon": 0}])
def test_staying_at_home_can_be_best(end: Any) -> None:
    plan = ask(body(*(optional(f"s{i}", 1) for i in range(12)), end=end))
    assert plan.visits == []
    assert {skipped.stop_id for skipped in plan.skipped} == {f"s{i}" for i in range(12)}
    assert plan.totals.driving_s == (1000 if isinstance(end, dict) else 0)


@pytest.mark.parametrize("end", ["start", "any", {"lat": 0, "lon": 0}])
def test_going_out_can_be_best(end: Any) -> None:
    problem = problem_of(body(*(optional(f"s{i}", 1500) for i in range(20)), end=end))
    legs = 20 if end == "any" else 21
    best = (legs * 1000 - 20 * 1500) * 10**4 // problem.unit
    assert searched(problem, best).value == best


def test_a_stop_is_served_in_one_of_its_windows() -> None:
    many = [stop(f"s{i}") for i in range(12)]
    plan = ask(body(stop("late", (0, 500), (20_000, 20_100)), *many))
    assert plan.quality.engine == "pyvrp"
    [visit] = [visit for visit in plan.visits if visit.stop_id == "late"]
    started_s = (visit.start_at - plan.visits[0].arrive_at).total_seconds() + 1000
    assert 20_000 <= started_s <= 20_100

"""Which engine searches an order, and how good what it finds is."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from core.kind import Progress, Run
from tasks.plan_route.contract.result import Quality
from tasks.plan_route.engine import exact, ordering, windows
from tasks.plan_route.engine.problem import Order, Problem
from tasks.plan_route.engine.search import Search

log = logging.getLogger(__name__)

WEAKEST_GAP = 0.1
"""A lower bound further away than this says nothing about the plan and is left out."""


@dataclass(frozen=True)
class Choice:
    """An engine, and why it is the one."""

    engine: str
    reason: str


def choose(problem: Problem) -> Choice:
    """The engine for a problem.

    Measured at 0.5 s: fast-tsp 0.0 to 0.2 % above the optimum of TSPLIB instances of 48 to
    1002 nodes, where PyVRP is 0 to 49 %; PyVRP 0.2 % with windows, and never too late.
    """
    if exact.fits(problem):
        return Choice("exact_dp", f"{problem.n} stops are few enough for an exact answer")
    if problem.pure:
        return Choice("fast_tsp", f"only the order of {problem.n} stops is in question")
    wishes = [
        *(["time windows"] if problem.timed else []),
        *(["optional stops"] if not all(problem.required[1:]) else []),
    ]
    return Choice("pyvrp", f"{problem.n} stops with {' and '.join(wishes)}")


def announced(problem: Problem, run: Run) -> Choice:
    """The engine for a problem, told to the job and to the log."""
    choice = choose(problem)
    log.info("plan_route engine=%s reason=%s", choice.engine, choice.reason)
    run.report(Progress(stage="searching", message=f"{choice.engine}: {choice.reason}"))
    return choice


def solve(choice: Choice, problem: Problem, search: Search) -> Order | None:
    """Let the engine offer orders to `search`; returns the least late, if it knows one.

    Raises:
        RunStopped: the job was cancelled.
    """
    if choice.engine == "exact_dp":
        exact.solve(problem, search)
    elif choice.engine == "fast_tsp":
        ordering.solve(problem, search)
    else:
        return windows.solve(problem, search)
    return None


def quality(
    choice: Choice, problem: Problem, value: int, bound: int | None, *, proven: bool
) -> Quality:
    """How good a value of the objective is, in units, if no order is better than `bound`."""
    gap = None
    if bound is not None:
        bound = min(bound, value)
        gap = (value - bound) / abs(value) if value != bound else 0.0
        if gap > WEAKEST_GAP:
            bound = gap = None
    return Quality(
        engine=choice.engine,
        lower_bound=None if bound is None else problem.objective(bound),
        gap=None if gap is None else round(gap, 6),
        proven_optimal=proven,
        deterministic=choice.engine == "exact_dp",
    )

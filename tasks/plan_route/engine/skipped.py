"""Why an optional stop is not in a plan."""

from __future__ import annotations

from tasks.plan_route.engine.problem import Order, Problem

MOST_TRIES = 500_000  # steps of re-evaluation: about 0.2 s


def reasons(problem: Problem, order: Order) -> dict[int, str]:
    """A sentence per stop node that `order` leaves out, for the cheapest place to insert it."""
    left_out = sorted(set(range(1, problem.n + 1)) - set(order))
    affordable = len(left_out) * (len(order) + 1) ** 2 <= MOST_TRIES
    return {node: _reason(problem, order, node, affordable) for node in left_out}


def _reason(problem: Problem, order: Order, node: int, affordable: bool) -> str:
    if problem.begin(node, int(problem.durations[0, node])) is None:
        return "Its windows are over before it can be reached directly"
    if not affordable:
        return "The detour is not worth its prize, or misses its windows"
    here = problem.value(order)
    assert here is not None, "only feasible orders are explained"
    values = [
        value
        for position in range(len(order) + 1)
        if (value := problem.value([*order[:position], node, *order[position:]])) is not None
    ]
    if not values:
        return "It does not fit between the windows of the other stops"
    prize = problem.prizes[node]
    cost = problem.objective(min(values) - here + prize)
    return f"The detour would cost {cost:,.0f}, its prize is {problem.objective(prize):,.0f}"

"""Exact answers for few stops: dynamic programming over visited sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from tasks.plan_route.engine.problem import Order, Problem
from tasks.plan_route.engine.roads import IntTable
from tasks.plan_route.engine.search import Search

MAX_WINDOWED = 9
"""Stops up to which windows are handled: 0.07 s at most in 30 random problems."""

MAX_TIMELESS = 15
"""Stops up to which everything else is handled: 0.06 s and 6 MB."""

Label = tuple[int, int, "Trail | None"]
"""Time at which the node is left, cost so far, how it was reached."""

Trail = tuple[int, "Trail | None"]
"""The node and the trail before it."""


def fits(problem: Problem) -> bool:
    """Whether the problem is small enough to be solved here."""
    return problem.n <= (MAX_WINDOWED if problem.timed else MAX_TIMELESS)


def solve(problem: Problem, search: Search) -> bool:
    """Offer the optimal order to `search`, with its value as the bound.

    Args:
        problem: one that `fits`.
        search: receives the order; the budget is not looked at, half a result is none.

    Returns:
        Whether a feasible order exists.

    Raises:
        RunStopped: the job was cancelled.
    """
    order = best_order(problem, search)
    if order is None:
        return False
    search.bound = problem.value(order)
    search.offer(order)
    return True


def best_order(problem: Problem, search: Search | None = None) -> Order | None:
    """The optimal order, or None where no order serves every required stop in time."""
    if problem.timed:
        return _in_time(problem, search)
    return _timeless(problem, search)


def _required(problem: Problem) -> int:
    """The required stops as bits; stop v is bit v - 1."""
    return sum(1 << (v - 1) for v in range(1, problem.n + 1) if problem.required[v])


def _timeless(problem: Problem, search: Search | None) -> Order:
    """Held and Karp (1962, J. SIAM 10:196), all sets of one size at a time.

    Without windows nobody waits, so elapsed time is a cost of arcs and visits, as prizes are.
    """
    n, end = problem.n, problem.end
    visit = problem.elapsed * np.array(problem.service) - np.array(problem.prizes)
    costs = problem.arcs + problem.elapsed * problem.durations
    costs[:, : n + 1] += visit
    step, first = costs[1 : n + 1, 1 : n + 1], costs[0, 1 : n + 1]
    last = np.zeros(n, dtype=np.int64) if end is None else costs[1 : n + 1, end]
    far = np.iinfo(np.int64).max // 4
    best = np.full((1 << n, n), far, dtype=np.int64)  # cheapest way through a set to a stop
    best[1 << np.arange(n), np.arange(n)] = first
    for size in range(2, n + 1):
        if search is not None:
            search.go_on()  # only for its look at cancellation
        sets = np.array([sum(1 << v for v in c) for c in combinations(range(n), size)])
        for stop in range(n):
            having = sets[(sets >> stop) & 1 == 1]
            best[having, stop] = (best[having ^ (1 << stop)] + step[:, stop]).min(axis=1)
    totals = best + last
    empty = 0 if end in (None, 0) else int(costs[0, end])
    return _walk_back(problem, best, totals, step, empty)


def _walk_back(
    problem: Problem, best: IntTable, totals: IntTable, step: IntTable, empty: int
) -> Order:
    """Read the order out of the table of cheapest ways, from its last stop on."""
    must = _required(problem)
    allowed = np.arange(len(totals)) & must == must
    allowed[0] = False
    if must == 0 and (not allowed.any() or int(totals[allowed].min()) >= empty):
        return []
    candidates = np.where(allowed[:, None], totals, np.iinfo(np.int64).max)
    visited, stop = (int(i) for i in np.unravel_index(candidates.argmin(), totals.shape))
    order = [stop]
    while visited := visited ^ (1 << stop):
        stop = int((best[visited] + step[:, stop]).argmin())
        order.append(stop)
    return [stop + 1 for stop in reversed(order)]


def _in_time(problem: Problem, search: Search | None) -> Order | None:
    """Each set and last stop keep every (time, cost) that no other beats in both.

    After Dumas, Desrosiers, Gelinas and Solomon (1995, Operations Research 43:367).
    """
    must = _required(problem)
    states: list[dict[int, list[Label]]] = [{} for _ in range(1 << problem.n)]
    states[0] = {0: [(0, 0, None)]}
    best: tuple[int, Trail | None] | None = None
    for visited, ends in enumerate(states):
        if search is not None and visited % 64 == 0:
            search.go_on()  # only for its look at cancellation
        for here, labels in ends.items():
            if visited & must == must:
                best = _better(best, problem, here, labels)
            _extend(problem, states, visited, here, labels)
    return None if best is None else _unwind(best[1])


def _extend(
    problem: Problem,
    states: list[dict[int, list[Label]]],
    visited: int,
    here: int,
    labels: list[Label],
) -> None:
    for node in range(1, problem.n + 1):
        bit = 1 << (node - 1)
        if visited & bit:
            continue
        seconds = int(problem.durations[here, node])
        cost = int(problem.arcs[here, node]) - problem.prizes[node]
        for left_at, so_far, trail in labels:
            start = problem.begin(node, left_at + seconds)
            if start is not None:
                label = (start + problem.service[node], so_far + cost, (node, trail))
                _keep(states[visited | bit].setdefault(node, []), label)


def _keep(labels: list[Label], new: Label) -> None:
    """Add a label unless another is as early and as cheap; drop those that it beats."""
    time, cost, _ = new
    if any(t <= time and c <= cost for t, c, _ in labels):
        return
    labels[:] = [label for label in labels if label[0] < time or label[1] < cost]
    labels.append(new)


def _better(
    best: tuple[int, Trail | None] | None, problem: Problem, here: int, labels: list[Label]
) -> tuple[int, Trail | None] | None:
    seconds = cost = 0
    if problem.end is not None:
        seconds = int(problem.durations[here, problem.end])
        cost = int(problem.arcs[here, problem.end])
    for left_at, so_far, trail in labels:
        value = so_far + cost + problem.elapsed * (left_at + seconds)
        if best is None or value < best[0]:
            best = (value, trail)
    return best


def _unwind(trail: Trail | None) -> Order:
    order: Order = []
    while trail is not None:
        node, trail = trail
        order.append(node)
    return order[::-1]

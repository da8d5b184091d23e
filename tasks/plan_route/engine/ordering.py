"""Orders without windows: the travelling salesman, by the library fast-tsp.

fast-tsp takes symmetric matrices of 16-bit costs, has no warm start and no seed. So it
runs in slices, each on the nodes in another sequence, and the best order is kept.
Up to 20 nodes it computes exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import fast_tsp
import numpy as np
import numpy.typing as npt

from tasks.plan_route.engine import bounds
from tasks.plan_route.engine.problem import Order, Problem
from tasks.plan_route.engine.roads import IntTable
from tasks.plan_route.engine.search import Search

MAX_COST = 65_535  # of fast-tsp
EXACT_NODES = 20  # of fast-tsp: Held-Karp, 60 ms and 33 MB at 20
FIRST_SLICE_S = 0.1
LONGEST_SLICE_S = 0.5  # a cancelled or finished job waits for its slice
SLICE_GROWTH = 4.0
LEAST_SLICE_S = 0.02
CLIP = 2  # no arc longer than this many times the longest of the best order is of use
BOUNDED_FROM_S = 1.0  # shorter budgets are for the order alone
BOUND_SHARE = 0.1
MIXED_NODES = 250  # from here on the mean of both directions is a good first guess


@dataclass(frozen=True)
class Closed:
    """A problem closed to a round trip over nodes 0..k-1 with one cost per arc.

    Attributes:
        costs: shape (k, k); node 0 is the start, nodes 1..n are the stops.
        stops: number of stops n.
        symmetric: whether costs are the same both ways.
        joint: the nodes beside which a further node, the joint, must stand between the
            end of the trip and its start; empty: the trip is closed without one.
    """

    costs: IntTable
    stops: int
    symmetric: bool
    joint: tuple[int, ...] = ()


def solve(problem: Problem, search: Search) -> None:
    """Offer ever better orders to `search` until it says stop.

    Args:
        problem: without windows and optional stops, at least two stops.
        search: receives the orders, and a bound where one is proven.

    Raises:
        RunStopped: the job was cancelled.
    """
    rng = np.random.default_rng(search.seed)
    search.offer(range(1, problem.n + 1))
    search.bound = lower_bound(problem)
    closed = close(problem)
    if closed.symmetric and len(closed.costs) <= EXACT_NODES:
        _exactly(problem, closed, search)
    if not closed.symmetric and problem.n >= MIXED_NODES and search.go_on():
        _slice(_mixed(closed), search, rng, FIRST_SLICE_S)
    seconds = FIRST_SLICE_S
    while search.go_on():
        _slice(closed, search, rng, min(seconds, max(search.left_s, LEAST_SLICE_S)))
        if seconds == FIRST_SLICE_S and search.budget_s >= BOUNDED_FROM_S:
            _raise_bound(problem, closed, search)
        seconds = min(LONGEST_SLICE_S, seconds * SLICE_GROWTH)


def lower_bound(problem: Problem) -> int:
    """A value that no order goes below: every place is left and reached by its best arc."""
    costs = _costs(problem)
    if problem.end is None:
        inward = costs + np.diag(np.full(len(costs), costs.max() + 1))
        travel = int(inward[:, 1:].min(axis=0).sum())
    else:
        outward, inward = costs.copy(), costs.copy()
        np.fill_diagonal(outward, costs.max() + 1)
        np.fill_diagonal(inward, costs.max() + 1)
        start, end = 0, problem.end
        leaving = [v for v in range(len(costs)) if v != end or end == start]
        reached = [v for v in range(len(costs)) if v != start or end == start]
        travel = max(
            int(outward[np.ix_(leaving, reached)].min(axis=1).sum()),
            int(inward[np.ix_(leaving, reached)].min(axis=0).sum()),
        )
    return travel + problem.elapsed * sum(problem.service)


def _raise_bound(problem: Problem, closed: Closed, search: Search) -> None:
    """Spend a part of the budget on a bound that tells how good the order is."""
    costs = np.minimum(closed.costs, closed.costs.T)
    size, longest = len(costs), int(costs.max())
    if size * longest >= bounds.MOST_COST or search.value is None:
        return
    if closed.joint:
        costs = np.pad(costs, (0, 1), constant_values=2 * longest + 1)
        costs[size, [*closed.joint, size]] = costs[[*closed.joint, size], size] = 0
    service = problem.elapsed * sum(problem.service)
    until_s = search.spent_s + BOUND_SHARE * search.budget_s
    bound = bounds.one_tree_bound(
        costs,
        target=search.value - service,
        go_on=lambda: search.spent_s < until_s and search.go_on(),
        floor=(search.bound or service) - service,
    )
    search.bound = bound + service


def first_guess(problem: Problem, search: Search) -> Order | None:
    """A short order of all stops that knows nothing of windows and prizes."""
    closed = close(problem)
    if not closed.symmetric:
        closed = _mixed(closed)
    matrix, _ = encode(closed, int(closed.costs.max()))
    tour = fast_tsp.find_tour(matrix, max(LEAST_SLICE_S, min(FIRST_SLICE_S, search.left_s / 4)))
    return decode(closed, tour)


def _costs(problem: Problem) -> IntTable:
    """Without windows nobody waits, so elapsed time is a cost of arcs (and constant service)."""
    costs: IntTable = problem.arcs + problem.elapsed * problem.durations
    return costs


def close(problem: Problem) -> Closed:
    """Turn an open or fixed end into a round trip.

    Symmetric costs stay symmetric by a joint node between end and start. Asymmetric ones
    need none: the way back to node 0 costs what the last leg does, or nothing.
    """
    costs, n = _costs(problem), problem.n
    symmetric = bool((costs == costs.T).all())
    if problem.end == 0:
        return Closed(costs, n, symmetric)
    if symmetric:
        return Closed(costs, n, True, (0,) if problem.end is None else (0, problem.end))
    merged = costs[: n + 1, : n + 1].copy()
    merged[:, 0] = 0 if problem.end is None else costs[: n + 1, problem.end]
    merged[0, 0] = 0
    return Closed(merged, n, False)


def _slice(closed: Closed, search: Search, rng: np.random.Generator, seconds: float) -> None:
    """Run the library once and offer what it finds, in both directions."""
    matrix, _ = encode(closed, _longest_useful(closed, search.best))
    sequence = rng.permutation(len(matrix))
    tour = fast_tsp.find_tour(matrix[np.ix_(sequence, sequence)], seconds)
    order = decode(closed, [int(sequence[node]) for node in tour])
    if order is not None:
        search.offer(order)
        search.offer(order[::-1])


def _longest_useful(closed: Closed, best: Order | None) -> int:
    """Longer arcs need no exact cost: cutting them off leaves more of the 16 bits to the rest."""
    longest = int(closed.costs.max())
    if best is None:
        return longest
    nodes = [0, *best]
    used = max(int(closed.costs[a, b]) for a, b in pairwise(nodes))
    return max(1, min(longest, CLIP * used))


def encode(closed: Closed, longest: int) -> tuple[npt.NDArray[np.uint16], int]:
    """A symmetric matrix of 16-bit costs, and the cost that one step of it stands for.

    Asymmetric costs double the nodes (Jonker and Volgenant 1983, Operations Research
    Letters 2:161): node v becomes an entry v and an exit k + v at no distance, and an
    arc u-v becomes the edge from the exit of u to the entry of v. A constant on those
    edges keeps entry and exit together; all other edges cost the most.

    Args:
        closed: the round trip.
        longest: costs above it count as this much.
    """
    most = MAX_COST if closed.symmetric and not closed.joint else MAX_COST // 3
    step = max(1, -(-longest // most))
    costs = np.minimum(closed.costs, longest) // step
    size = len(costs)
    if closed.symmetric:
        matrix = np.full((size + bool(closed.joint),) * 2, MAX_COST, dtype=np.uint16)
        matrix[:size, :size] = costs
        for node in closed.joint:
            matrix[size, node] = matrix[node, size] = 0
    else:
        together = int(costs.max()) + 1
        matrix = np.full((2 * size, 2 * size), min(MAX_COST, 8 * together), dtype=np.uint16)
        matrix[size:, :size] = costs + together
        matrix[:size, size:] = matrix[size:, :size].T
        np.fill_diagonal(matrix[size:, :size], 0)
        np.fill_diagonal(matrix[:size, size:], 0)
    np.fill_diagonal(matrix, 0)
    return matrix, step


def decode(closed: Closed, tour: list[int]) -> Order | None:
    """The order of the stops in a tour of the encoded nodes; None where it does not keep to it."""
    size = len(closed.costs)
    at = tour.index(size if closed.joint else 0)
    tour = tour[at:] + tour[:at]
    if closed.joint:
        return _from_joint(closed, tour[1:])
    if closed.symmetric:
        return tour[1:]
    if tour[1] != size:  # read from entry to exit
        tour = [tour[0], *tour[:0:-1]]
    entries, exits = tour[::2], tour[1::2]
    if any(out != node + size for node, out in zip(entries, exits, strict=True)):
        return None
    return entries[1:]


def _from_joint(closed: Closed, path: list[int]) -> Order | None:
    if path[0] != 0:
        path = path[::-1]
    if path[0] != 0 or (len(closed.joint) == 2 and path[-1] != closed.joint[1]):
        return None
    return [node for node in path if 1 <= node <= closed.stops]


def _mixed(closed: Closed) -> Closed:
    """The mean of both directions: half the nodes, and near the truth on most roads."""
    return Closed((closed.costs + closed.costs.T) // 2, closed.stops, True)


def _exactly(problem: Problem, closed: Closed, search: Search) -> None:
    """Few nodes: the library is exact, so rounded-down costs also give a bound."""
    matrix, step = encode(closed, int(closed.costs.max()))
    order = decode(closed, fast_tsp.find_tour(matrix, LONGEST_SLICE_S))
    if order is None:
        return
    search.offer(order)
    search.offer(order[::-1])
    nodes = [0, *order] if problem.end is None else [0, *order, problem.end]
    value = step * sum(int(matrix[a, b]) for a, b in pairwise(nodes))
    value += problem.elapsed * sum(problem.service)
    search.bound = max(value, search.bound or value)

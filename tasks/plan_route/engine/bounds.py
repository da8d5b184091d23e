"""How short a round trip could be at best: the 1-tree bound of Held and Karp."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.plan_route.engine.roads import IntTable

FINE = 64  # node weights in parts of a unit, so that they settle on small costs, too
MOST_COST = 1 << 52  # nodes times the longest arc: sums of 64-fold costs stay inside 64 bits
FIRST_STRETCH = 2.0  # of the step of Held, Wolfe and Crowder (1974)
PATIENCE = 8  # rounds without a better bound before the step is halved
SHORTEST_STRETCH = 0.02


def one_tree_bound(costs: IntTable, target: int, go_on: Callable[[], bool], floor: int = 0) -> int:
    """A cost that no round trip through all nodes goes below.

    Every round trip is a 1-tree: a spanning tree of nodes 1..k-1, and two edges of node 0.
    Weights on the nodes change no order of round trips but make the cheapest 1-tree dearer
    (Held and Karp 1970, Operations Research 18:1138; 1971, Mathematical Programming 1:6).

    Args:
        costs: symmetric, shape (k, k), k at least 3; k times the largest below `MOST_COST`.
        target: cost of a known round trip; the search ends where the bound reaches it.
        go_on: asked before every round; one takes 0.2 ms at 50 nodes and 5 ms at 500.
        floor: a bound that is known already.
    """
    fine = costs * FINE
    weights = np.zeros(len(costs), dtype=np.int64)
    stretch, stale = FIRST_STRETCH, 0
    while floor < target and stretch > SHORTEST_STRETCH and go_on():
        length, degrees = _one_tree(fine + weights[:, None] + weights[None, :])
        length -= 2 * int(weights.sum())
        bound = -(-length // FINE)  # costs are whole, so the least of them is, too
        stale = 0 if bound > floor else stale + 1
        floor = max(floor, bound)
        uneven = degrees - 2
        norm = int((uneven * uneven).sum())
        if norm == 0:
            return floor  # the 1-tree is a round trip: optimal
        if stale >= PATIENCE:
            stretch, stale = stretch / 2, 0
        step = stretch * max(FINE, target * FINE - length) / norm
        weights += np.rint(step * uneven).astype(np.int64)
    return floor


def _one_tree(costs: IntTable) -> tuple[int, IntTable]:
    """Length of the cheapest 1-tree, and how many of its edges each node has (Prim 1957)."""
    size = len(costs)
    degrees = np.zeros(size, dtype=np.int64)
    far = np.iinfo(np.int64).max
    nearest = np.ones(size, dtype=np.int64)  # the node of the tree that is nearest to each
    reach = costs[1].copy()
    reach[:2] = far
    inside = np.zeros(size, dtype=bool)
    inside[:2] = True
    length = 0
    for _ in range(size - 2):
        node = int(reach.argmin())
        length += int(reach[node])
        degrees[node] += 1
        degrees[nearest[node]] += 1
        inside[node] = True
        closer = (costs[node] < reach) & ~inside
        reach[closer] = costs[node][closer]
        nearest[closer] = node
        reach[node] = far
    first, second = (int(v) + 1 for v in np.argpartition(costs[0, 1:], 1)[:2])
    degrees[[0, first, second]] += (2, 1, 1)
    return length + int(costs[0, first]) + int(costs[0, second]), degrees

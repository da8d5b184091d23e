"""The 1-tree bound against optima that are known."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest

from tasks.plan_route.engine.bounds import one_tree_bound
from tests.tasks.plan_route import instances


@pytest.mark.parametrize("seed", range(30))
def test_never_above_the_best_round_trip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(3, 8))
    half = rng.integers(0, rng.choice([2, 10, 10_000]), (size, size))
    costs = np.triu(half, 1) + np.triu(half, 1).T
    trips = ([0, *order, 0] for order in permutations(range(1, size)))
    best = min(sum(int(costs[a, b]) for a, b in pairwise(trip)) for trip in trips)
    assert one_tree_bound(costs, target=best, go_on=lambda: True) <= best
    assert one_tree_bound(costs, target=10 * best + 1, go_on=lambda: True) <= best


def test_near_the_optimum_of_a_published_instance() -> None:
    costs = np.array(instances.tsplib("att48.tsp"))
    optimum = instances.OPTIMA["att48.tsp"]
    bound = one_tree_bound(costs, target=optimum, go_on=lambda: True)
    assert 0.99 * optimum <= bound <= optimum


def test_no_round_leaves_the_floor() -> None:
    costs = np.array(instances.tsplib("att48.tsp"))
    assert one_tree_bound(costs, target=10**6, go_on=lambda: False, floor=7) == 7

"""Gates: how near to the optimum plans are within their budget, on published instances."""

from itertools import pairwise

import pytest

from tests.tasks.plan_route import instances
from tests.tasks.plan_route.asking import ask


@pytest.mark.parametrize("name", instances.ordering_names())
def test_order_within_half_a_percent_in_half_a_second(name: str) -> None:
    plan = ask(instances.ordering_request(name, budget_s=0.5))
    assert plan.quality.engine == "fast_tsp"
    assert plan.totals.driving_s <= instances.OPTIMA[name] * 1.005


@pytest.mark.parametrize("name", instances.windowed_names())
def test_windows_within_one_percent_in_two_seconds(name: str) -> None:
    plan = ask(instances.windowed_request(name, budget_s=2))
    assert plan.quality.engine == "pyvrp"
    assert plan.totals.driving_s <= instances.windowed(name).best * 1.01


@pytest.mark.parametrize("name", instances.windowed_names())
def test_best_known_orders_are_read_right(name: str) -> None:
    instance = instances.windowed(name)
    path = [0, *instance.order, 0]
    assert sorted(instance.order) == list(range(1, len(instance.durations)))
    legs = [instance.durations[a][b] for a, b in pairwise(path)]
    assert sum(legs) == pytest.approx(instance.best, abs=len(legs))

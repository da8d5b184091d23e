"""The split into days against all ways to place nights."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings

from core.kind import RunStopped
from services.roads import GreatCircle
from tasks.plan_route.contract import RouteRequest
from tasks.plan_route.engine import day_split
from tasks.plan_route.engine.day_rules import DayRules
from tasks.plan_route.engine.day_split import Label
from tasks.plan_route.engine.problem import build
from tasks.plan_route.engine.roads import table_for
from tests.tasks.plan_route.days_bodies import spot, trip, trips

MOST_NIGHTS = 7
"""What the count of all ways tries at each stop; a weekend is waited for in six."""


class AllWays(day_split._Run):
    """Every way to place nights: no state is dropped, nothing is ruled out."""

    def least(self) -> Label | None:
        self.room, self.paid = 25 * day_split.VIOLATION, self.rules.paid
        self.ahead = [0] * len(self.nodes)
        return self._attempt()

    def _undominated(self, k: int, labels: list[Label]) -> list[Label]:
        same = {(x.violations, x.money, x.time, x.used_s, x.used_m, x.day): x for x in labels}
        return list(same.values())

    def _nights_worth_a_look(self, i: int, label: Label) -> int:
        return MOST_NIGHTS if any(self.problem.weekly[i + 1 :]) else 2


def runs(body: dict[str, Any]) -> tuple[AllWays, day_split.Split | None]:
    request = RouteRequest.model_validate(body)
    table = table_for(request, GreatCircle())
    assert request.limits is not None
    problem, rules = build(request, table), DayRules(request, request.limits, table)
    order = list(range(1, problem.n + 1))
    return AllWays(problem, rules, order), day_split.Splitter(problem, rules).split(order)


def _worth(split: day_split.Split, run: AllWays) -> tuple[int, ...]:
    elapsed = run.problem.elapsed * split.ends
    return (split.violations, elapsed, split.days, split.money, split.ends)


def never_closed(body: dict[str, Any]) -> dict[str, Any]:
    """Without weekly hours two nights at a place are the most that can help."""
    return body | {"stops": [stop | {"opening": []} for stop in body["stops"]]}


@settings(max_examples=60, deadline=None)
@given(trips(most=3))
def test_no_way_to_place_nights_is_better(body: dict[str, Any]) -> None:
    _compare(body)


@settings(max_examples=30, deadline=None)
@given(trips(most=6).map(never_closed))
def test_nor_on_longer_trips_that_are_never_closed(body: dict[str, Any]) -> None:
    _compare(body)


def test_stops_when_it_is_told_to() -> None:
    stops = [spot(f"s{n}") for n in range(8)]
    request = RouteRequest.model_validate(trip([2.0] * 8, *stops))
    table = table_for(request, GreatCircle())
    assert request.limits is not None
    problem, rules = build(request, table), DayRules(request, request.limits, table)
    asked = itertools.count()

    def check() -> None:
        if next(asked) == 3:
            raise RunStopped("cancelled")

    with pytest.raises(RunStopped):
        day_split.Splitter(problem, rules, check).split(list(range(1, problem.n + 1)))
    assert next(asked) == 4


def _compare(body: dict[str, Any]) -> None:
    every, split = runs(body)
    best = every.least()
    assert best is not None
    assert split is not None
    assert _worth(split, every) == _worth(every._split(best), every)

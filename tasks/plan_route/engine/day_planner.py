"""Trips with limits: orders from the engines, each split into days, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.kind import JobFailed, Run
from tasks.plan_route.contract.hours import Limits
from tasks.plan_route.contract.result import RoutePlan
from tasks.plan_route.engine import engines
from tasks.plan_route.engine.day_itinerary import DayByDay
from tasks.plan_route.engine.day_rules import UNLIMITED, DayRules
from tasks.plan_route.engine.day_split import MAX_DAYS, Split, Splitter
from tasks.plan_route.engine.engines import Choice
from tasks.plan_route.engine.itinerary import Itinerary
from tasks.plan_route.engine.problem import Order, Problem
from tasks.plan_route.engine.publishing import publisher
from tasks.plan_route.engine.render import Renderer
from tasks.plan_route.engine.resuming import Memory
from tasks.plan_route.engine.search import Search

TIMED_SHARE = 0.6
"""Of the budget, for orders that keep dated windows; the rest is for short ones."""

LONGEST_S = 10**9  # a stretched drive; costs of elapsed time stay within 64 bits

Worth = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Found:
    """The best order, its days, and what is known of all orders."""

    order: Order
    split: Split
    bound: int | None


def plan_days(renderer: Renderer, limits: Limits, run: Run) -> RoutePlan:
    """The plan of a trip whose days have limits.

    Raises:
        JobFailed: TRIP_TOO_LONG.
        RunStopped: the job was cancelled.
    """
    found, days, choice = DaySearch(renderer, limits, run).search()
    trip = days.itinerary(found.order, found.split)
    value = renderer.value(found.order, trip.ends)
    proven = found.bound is not None and value <= found.bound and not trip.violations
    quality = engines.quality(choice, renderer.problem, value, found.bound, proven=proven)
    named = {"engine": f"{choice.engine}+days"}
    return renderer.plan(trip, quality.model_copy(update=named))


class DaySearch:
    """Looks for an order whose days are good.

    The engines know nothing of days. They are given a problem in which a drive takes as
    long as it does with all its nights, so that dated windows are met on about the right
    date. Weekly hours count in the split only.
    """

    def __init__(self, renderer: Renderer, limits: Limits, run: Run) -> None:
        self.renderer, self.run = renderer, run
        self.request, self.problem = renderer.request, renderer.problem
        self.rules = DayRules(self.request, limits, renderer.table)
        self.splitter = Splitter(self.problem, self.rules, run.check)
        self.days = DayByDay(self.request, self.problem, self.rules)
        self.day_s = self._driving_of_a_day()
        self.memory = Memory(run, self.problem)

    def search(self) -> tuple[Found, DayByDay, Choice]:
        """The best order of all that were looked at, and the engine that is named for it."""
        timed = self._stretched()
        timeless = replace(timed, windows=((),) * len(timed.windows))
        choice = engines.announced(timed, self.run)
        orders: list[Order] = [*self.memory.orders]
        begun = 0.0
        if timed.timed:
            search, late = self._order(choice, timed, (0.0, TIMED_SHARE))
            orders += [order for order in (search.best, late) if order]
            begun = TIMED_SHARE
        second = engines.choose(timeless)
        search, _ = self._order(second, timeless, (begun, 1.0))
        orders += [search.best] if search.best is not None else []
        found = self._best(orders, search.bound if self._bounded() else None)
        return found, self.days, choice

    def _order(
        self, choice: Choice, problem: Problem, share: tuple[float, float]
    ) -> tuple[Search, Order | None]:
        """A search over its share of the budget, and its least late order."""
        name = f"{choice.engine}+days"
        publish = publisher(self.run, self.renderer, name, self._itinerary, share)
        whole_s = self.request.budget_s
        before_s, budget_s = whole_s * share[0], whole_s * (share[1] - share[0])

        def remember(order: Order, spent_s: float) -> None:
            self.memory.save("timed" if problem.timed else "timeless", order, before_s + spent_s)

        search = Search(
            problem,
            self.run,
            budget_s,
            self.request.seed,
            publish,
            remember=remember,
            known=self.memory.orders,
            already_s=min(budget_s, max(0.0, self.memory.spent_s - before_s)),
        )
        return search, engines.solve(choice, problem, search)

    def _itinerary(self, order: Order) -> Itinerary | None:
        split = self.splitter.split(order)
        return None if split is None else self.days.itinerary(order, split)

    def _best(self, orders: list[Order], bound: int | None) -> Found:
        """The best of the orders, of their reverses, and of the order in which stops are given."""
        best: tuple[Worth, Order, Split] | None = None
        for order in self._candidates(orders):
            self.run.check()
            split = self.splitter.split(order)
            if split is None:
                continue
            worth = self._worth(order, split)
            if best is None or worth < best[0]:
                best = (worth, order, split)
        if best is None:
            raise JobFailed("TRIP_TOO_LONG", f"The trip would take more than {MAX_DAYS} days")
        return Found(best[1], best[2], bound)

    def _candidates(self, orders: list[Order]) -> Iterator[Order]:
        seen: set[tuple[int, ...]] = set()
        for order in orders:
            for candidate in (order, order[::-1], sorted(order)):
                if tuple(candidate) not in seen:
                    seen.add(tuple(candidate))
                    yield candidate

    def _worth(self, order: Order, split: Split) -> Worth:
        """Between orders: missed windows, then the objective, where any other violation weighs
        as much as a day of driving; then days, nights, and the end."""
        missed = sum(stay.late_s is not None for stay in split.stays)
        weights = self.request.objective
        speed = self.renderer.table.distances_m.sum() / max(
            1, int(self.renderer.table.durations_s.sum())
        )
        day = weights.driving * self.day_s + weights.distance * self.day_s * float(speed)
        units = 10**4 * (day + weights.elapsed * 86_400) / self.problem.unit
        value = self.renderer.value(order, split.ends)
        value += round((split.violations - missed) * units)
        return (missed, value, split.days, split.money, split.ends)

    def _bounded(self) -> bool:
        """Whether a bound on orders is one on trips: nights only add to the time."""
        return self.problem.elapsed == 0

    def _driving_of_a_day(self) -> int:
        """Seconds of driving that a day holds, by the mean speed of all roads."""
        rules, table = self.rules, self.renderer.table
        most = min(rules.driving_s, rules.hours_s)
        metres = int(table.distances_m.sum())
        if rules.distance_m < UNLIMITED and metres:
            most = min(most, max(1, rules.distance_m * int(table.durations_s.sum()) // metres))
        return most

    def _stretched(self) -> Problem:
        """The problem with a day for what a day holds, and without weekly hours."""
        days = self.problem.durations.astype(np.float64) * (86_400 / self.day_s)
        stretched = np.minimum(np.ceil(days), LONGEST_S).astype(np.int64)
        return replace(self.problem, durations=stretched, weekly=(None,) * (self.problem.n + 1))

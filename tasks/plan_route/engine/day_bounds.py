"""Violations that the rest of a trip cannot do without, so that hopeless labels are dropped.

The rest is looked at from each place as if it were left fresh in the morning, as if no stop
had windows, and as if each night by the road were spent at the next place. Nothing that
really happens is better than that.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.plan_route.engine.day_rules import DayRules, Leg, Spot

MAX_CHAIN = 60
"""Places of one day that are looked at; beyond them the rest counts from there for nothing."""


def least_ahead(
    rules: DayRules, spots: Sequence[Spot], legs: Sequence[Leg], day: int, weights: tuple[int, int]
) -> list[int]:
    """The weight of the violations from each place to the end of the trip, at least.

    Args:
        rules: the limits.
        spots: the places in their order.
        legs: the roads between them.
        day: any day, for the difference of the zones.
        weights: of a violation, and of a night where none is allowed.
    """
    violation, night = weights
    least = [0] * len(spots)
    for i in range(len(legs) - 1, -1, -1):
        best = violation * len(spots) * 1000
        seconds = metres = spent_s = 0
        for j in range(i, len(legs)):
            if j > i and least[j] + (0 if spots[j].overnight else night) < best:
                best = least[j] + (0 if spots[j].overnight else night)  # sleep there
            faults = max(1, rules.least_faults(spots[j], spots[j + 1], legs[j], day))
            best = min(best, faults * violation + least[j + 1])
            seconds, metres = seconds + legs[j].seconds, metres + legs[j].metres
            spent_s += legs[j].seconds + (spots[j].service_s if j > i else 0)
            hours_s = rules.longest_day_s(spots[i], spots[j + 1], day)
            if seconds > rules.driving_s or metres > rules.distance_m or spent_s > hours_s:
                break
            if j + 1 == len(legs) or j - i > MAX_CHAIN:
                best = min(best, least[j + 1])
                break
        least[i] = best
    return least

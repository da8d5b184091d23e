"""The checker sees every kind of damage that the days of a plan can have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.roads import GreatCircle
from tasks.plan_route.contract import RoutePlan, RouteRequest
from tasks.plan_route.engine import checker, plan
from tasks.plan_route.engine.roads import RoadTable, table_for
from tests.tasks.plan_route.asking import FakeRun
from tests.tasks.plan_route.days_bodies import FIVE_HOURS, HOUR, spot, trip

Damage = Callable[[dict[str, Any]], Any]
PRICE = {"amount": "20.00", "currency": "AUD"}


@pytest.fixture(scope="module")
def request_() -> RouteRequest:
    window = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-03T06:00:00Z"}
    return RouteRequest.model_validate(
        trip(
            [2, 12, 5.5, 2, 1],
            spot("a", night_cost=PRICE),
            spot("b", nights=2, night_cost=PRICE),
            spot("c", overnight=False, service_s=20 * HOUR),
            spot("d", windows=[window]),
            limits={**FIVE_HOURS, "day_start": "08:00", "day_end": "18:00"},
        )
    )


@pytest.fixture(scope="module")
def table(request_: RouteRequest) -> RoadTable:
    return table_for(request_, GreatCircle())


@pytest.fixture(scope="module")
def good(request_: RouteRequest) -> RoutePlan:
    return plan(request_, run=FakeRun(), roads=GreatCircle())


def roadside(p: dict[str, Any]) -> dict[str, Any]:
    """The first day that ends by the road."""
    found = [d for d in p["days"] if d["night"] and d["night"]["stop_id"] is None]
    return dict(found[0], at=p["days"].index(found[0]))


def shift(p: dict[str, Any], seconds: int) -> None:
    day = p["days"][roadside(p)["at"]]
    day["driving_s"] += seconds
    p["days"][roadside(p)["at"] + 1]["driving_s"] -= seconds


DAMAGES: dict[str, Damage] = {
    "a day is missing": lambda p: p["days"].pop(),
    "a day too many": lambda p: p["totals"].update(days=p["totals"]["days"] + 1),
    "a night is elsewhere": lambda p: p["days"][roadside(p)["at"]]["night"].update(stop_id="a"),
    "a night is gone": lambda p: p["days"][0].update(night=None),
    "a night is free": lambda p: [d["night"] and d["night"].update(cost=None) for d in p["days"]],
    "nights are paid twice": lambda p: p["totals"].update(nights_cost=[PRICE, PRICE]),
    "a day drives more than it says": lambda p: shift(p, -60),
    "a day drives less than it says": lambda p: shift(p, 60),
    "a violation is hidden": lambda p: p["violations"].pop(0),
    "every other violation is hidden": lambda p: p["violations"].pop(1),
    "the last violation is hidden": lambda p: p["violations"].pop(),
    "a violation is invented": lambda p: p["violations"].append(p["violations"][0]),
    "a violation is on another day": lambda p: p["violations"][0].update(day=9),
    "a violation is belittled": lambda p: p["violations"][0].update(by_s=1),
    "a window is missed by less": lambda p: p["violations"][-1].update(by_s=60),
    "a leg is of another day": lambda p: p["legs"][2].update(day=p["legs"][2]["day"] - 1),
    "a visit is of another day": lambda p: p["visits"][2].update(day=p["visits"][2]["day"] + 1),
    "the trip ends later": lambda p: p["totals"].update(elapsed_s=p["totals"]["elapsed_s"] + 60),
    "a stop is left at night": lambda p: p["visits"][1].update(
        depart_at=p["visits"][1]["depart_at"] - timedelta(hours=4)
    ),
}


def test_a_good_plan_passes(request_: RouteRequest, table: RoadTable, good: RoutePlan) -> None:
    codes = {violation.code for violation in good.violations}
    assert codes == {"DRIVING_LIMIT", "NIGHT_NOT_ALLOWED", "WINDOW_MISSED"}
    assert good.violations[-1].code == "WINDOW_MISSED"
    assert {day.night.stop_id for day in good.days if day.night} >= {None, "b"}
    assert checker.faults(request_, table, good) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_seen(
    name: str, request_: RouteRequest, table: RoadTable, good: RoutePlan
) -> None:
    parts = good.model_dump()
    DAMAGES[name](parts)
    changed = RoutePlan.model_validate(parts)
    assert changed != good
    assert checker.faults(request_, table, changed) != []

"""The checker sees every kind of damage that a plan can have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.kind import JobFailed
from services.roads import GreatCircle
from tasks.plan_route.contract import RoutePlan, RouteRequest
from tasks.plan_route.engine import checker, plan
from tasks.plan_route.engine.render import Renderer
from tasks.plan_route.engine.roads import RoadTable, table_for
from tests.tasks.plan_route.asking import FakeRun
from tests.tasks.plan_route.bodies import body, optional, stop

Damage = Callable[[dict[str, Any]], Any]
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def request_() -> RouteRequest:
    return RouteRequest.model_validate(
        body(
            stop("a", (3000, 9000), service_s=600),
            stop("b"),
            stop("c", (0, 20_000), (30_000, 40_000)),
            optional("d", 1),
            optional("e", 5000),
            end={"lat": 0, "lon": 0},
            objective={"driving": 1, "elapsed": 0.1, "distance": 0.001},
        )
    )


@pytest.fixture(scope="module")
def table(request_: RouteRequest) -> RoadTable:
    return table_for(request_, GreatCircle())


@pytest.fixture(scope="module")
def good(request_: RouteRequest) -> RoutePlan:
    return plan(request_, run=FakeRun(), roads=GreatCircle())


def later(visit: dict[str, Any], *names: str) -> None:
    for name in names:
        visit[name] += SECOND


DAMAGES: dict[str, Damage] = {
    "a required stop is gone": lambda p: p["visits"].pop(
        next(i for i, v in enumerate(p["visits"]) if v["stop_id"] == "b")
    ),
    "a stop is visited twice": lambda p: p["visits"].append(p["visits"][0]),
    "a visited stop is skipped, too": lambda p: p["skipped"].append(
        {"stop_id": "e", "reason": "?"}
    ),
    "a skipped stop is forgotten": lambda p: p["skipped"].clear(),
    "a skipped stop has no reason": lambda p: p["skipped"][0].update(reason=""),
    "a stranger is visited": lambda p: p["visits"][0].update(stop_id="z"),
    "two visits change places": lambda p: p["visits"].insert(0, p["visits"].pop(1)),
    "a leg is quicker than the road": lambda p: p["legs"][0].update(duration_s=999),
    "a leg is shorter than the road": lambda p: p["legs"][-1].update(distance_m=999),
    "a leg goes elsewhere": lambda p: p["legs"][1].update(to="d"),
    "a leg is missing": lambda p: p["legs"].pop(),
    "the arrival is wrong": lambda p: later(p["visits"][1], "arrive_at"),
    "the start is late": lambda p: later(p["visits"][-1], "start_at", "depart_at"),
    "the service is cut short": lambda p: p["visits"][1].update(
        depart_at=p["visits"][1]["start_at"] - SECOND
    ),
    "the wait is wrong": lambda p: p["visits"][0].update(wait_s=p["visits"][0]["wait_s"] + 1),
    "the driving is wrong": lambda p: p["totals"].update(driving_s=1),
    "the distance is wrong": lambda p: p["totals"].update(distance_m=1),
    "the waiting is wrong": lambda p: p["totals"].update(wait_s=1),
    "the service is wrong": lambda p: p["totals"].update(service_s=1),
    "the elapsed time is wrong": lambda p: p["totals"].update(elapsed_s=1),
    "the days do not add up": lambda p: p["days"].pop(),
    "the objective is wrong": lambda p: p.update(objective=p["objective"] + 0.01),
    "the bound is above the plan": lambda p: p["quality"].update(lower_bound=p["objective"] + 1),
}


def test_a_good_plan_passes(request_: RouteRequest, table: RoadTable, good: RoutePlan) -> None:
    assert [visit.stop_id for visit in good.visits if visit.stop_id == "e"]
    assert [skipped.stop_id for skipped in good.skipped] == ["d"]
    assert checker.faults(request_, table, good) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_seen(
    name: str, request_: RouteRequest, table: RoadTable, good: RoutePlan
) -> None:
    parts = good.model_dump()
    DAMAGES[name](parts)
    assert checker.faults(request_, table, RoutePlan.model_validate(parts)) != []


@pytest.mark.parametrize("shift_s", [-2001, 6001])
def test_a_missed_window_is_seen(
    shift_s: int, request_: RouteRequest, table: RoadTable, good: RoutePlan
) -> None:
    window = request_.stops[0].windows[0]
    [visit] = [visit for visit in good.visits if visit.stop_id == "a"]
    moved = visit.start_at - timedelta(seconds=shift_s)
    narrow = window.model_copy(update={"start": moved, "end": moved})
    first = request_.stops[0].model_copy(update={"windows": [narrow]})
    other = request_.model_copy(update={"stops": [first, *request_.stops[1:]]})
    found = checker.faults(other, table, good)
    assert any("outside its windows" in fault for fault in found)


def test_a_rejected_plan_never_leaves(
    request_: RouteRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = Renderer.plan

    def wrong(self: Renderer, *args: Any, **more: Any) -> RoutePlan:
        answer = render(self, *args, **more)
        return answer.model_copy(update={"objective": answer.objective - 1})

    monkeypatch.setattr(Renderer, "plan", wrong)
    with pytest.raises(JobFailed) as failure:
        plan(request_, run=FakeRun(), roads=GreatCircle())
    assert (failure.value.code, failure.value.status) == ("PLAN_REJECTED", 500)
    assert not failure.value.retryable

"""A plan that goes on where an earlier attempt stood: never worse, and within the same budget."""

from __future__ import annotations

import time
from typing import Any

import pytest

from core.kind import RunStopped
from tests.tasks.plan_route.asking import FakeRun, ask
from tests.tasks.plan_route.bodies import body, optional, stop
from tests.tasks.plan_route.instances import ordering_request, windowed_request
from tests.tasks.plan_route.test_planner import scattered

Json = dict[str, Any]
LIMITS = {"driving_per_day_s": 28_800, "day_start": "08:00", "day_end": "20:00"}

KINDS: dict[str, Json] = {
    "order": ordering_request("gr202.tsp", budget_s=20),
    "asymmetric": ordering_request("ftv170.atsp", budget_s=20),
    "windows": windowed_request("n60w40.001.txt", budget_s=20),
    "prizes": scattered(300, budget_s=20, prizes=True),
    "days": {**scattered(40, budget_s=20), "limits": LIMITS},
}


def cut_off(request: Json, after_s: float = 1.5) -> FakeRun:
    """The run of an attempt that was stopped on its way."""
    run = FakeRun(cancel_after_s=after_s)
    with pytest.raises(RunStopped):
        ask(request, run)
    assert run.checkpoints
    return run


@pytest.mark.parametrize("kind", KINDS)
def test_is_no_worse_though_it_ends_at_once(kind: str) -> None:
    first = cut_off(KINDS[kind])
    best = first.reports[-1].data["objective"]
    second = FakeRun(finish_after_s=0, restored=first.checkpoints[-1])
    plan = ask(KINDS[kind], second)
    assert plan.objective <= best
    if kind == "prizes":  # the first look finds as good a plan
        return
    # what an attempt finds that starts afresh and ends at once
    assert plan.objective < ask(KINDS[kind], FakeRun(finish_after_s=0)).objective


@pytest.mark.parametrize("kind", ["windows", "days"])
def test_spends_what_is_left_of_the_budget(kind: str) -> None:
    request = {**KINDS[kind], "budget_s": 3}
    saved = {**cut_off(request, 1.2).checkpoints[-1], "spent_s": 2.4}
    run = FakeRun(restored=saved)
    began = time.monotonic()
    ask(request, run)
    assert time.monotonic() - began < 2.4  # 0.6 s, and the rest for a busy machine
    improving = [each.fraction for each in run.reports if each.stage == "improving"]
    assert improving == sorted(improving)
    assert run.checkpoints == [] or run.checkpoints[-1]["spent_s"] > 2.4


def test_with_a_budget_that_is_spent_is_a_plan_all_the_same() -> None:
    request = {**KINDS["windows"], "budget_s": 1.5}
    first = cut_off(request, 1.2)
    began = time.monotonic()
    plan = ask(request, FakeRun(restored={**first.checkpoints[-1], "spent_s": 60}))
    assert time.monotonic() - began < 1.5
    assert plan.objective <= first.reports[-1].data["objective"]


@pytest.mark.parametrize(
    "restored",
    [
        {},
        {"version": 2, "orders": [[1, 2]], "spent_s": 1},
        {"version": 1, "orders": [[1, 1], [0, 1], [1, 2, 3, 4, 5], [-1], [2], []], "spent_s": 0},
        {"version": 1, "orders": "none", "spent_s": 1},
        {"version": 1, "orders": [], "spent_s": -1},
    ],
)
@pytest.mark.parametrize("limits", [None, LIMITS])
def test_that_cannot_be_read_starts_afresh(restored: Json, limits: Json | None) -> None:
    asked = {**body(stop("a"), stop("b"), optional("c", 50)), "limits": limits}
    plan = ask(asked, FakeRun(restored=restored))
    assert {visit.stop_id for visit in plan.visits} >= {"a", "b"}
    assert plan.objective == ask(asked).objective


def test_a_checkpoint_of_the_largest_request_is_small() -> None:
    run = cut_off({**scattered(500, budget_s=30), "limits": LIMITS}, 4)
    assert max(len(str(each)) for each in run.checkpoints) < 16_000

"""Planning as a job sees it: budget, progress, cancel, finish, failure, and what comes back."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.kind import JobFailed, RunStopped
from tasks.plan_route.contract import RouteRequest
from tests.tasks.plan_route.asking import FakeRun, ask
from tests.tasks.plan_route.bodies import body, optional, stop
from tests.tasks.plan_route.instances import DEPART_AT, ordering_request, windowed_request

Json = dict[str, Any]


def scattered(n: int, *, budget_s: float, windows: bool = False, prizes: bool = False) -> Json:
    """Stops all over Australia, without a matrix."""
    stops: list[Json] = []
    for i in range(n):
        place = {"lat": -18 - (i * 7 % 17), "lon": 118 + (i * 11 % 31) + i / 1000}
        days = timedelta(days=300)
        spans = [] if not windows or i % 3 else [(0, int(days.total_seconds()))]
        worth = optional(f"s{i}", 20_000, *spans) if prizes and i % 2 else stop(f"s{i}", *spans)
        stops.append({**worth, **place})
    return {**body(*stops, budget_s=budget_s), "matrix": None}


KINDS = {
    "order": scattered(500, budget_s=30),
    "windows": scattered(500, budget_s=30, windows=True),
    "prizes": scattered(500, budget_s=30, prizes=True),
    "asymmetric": ordering_request("ftv170.atsp", budget_s=30),
}


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_is_heard_within_a_second(kind: str) -> None:
    began = time.monotonic()
    with pytest.raises(RunStopped):
        ask(KINDS[kind], FakeRun(cancel_after_s=1))
    assert time.monotonic() - began < 1 + 1.5  # a second, and half of one for a busy machine


@pytest.mark.parametrize("kind", KINDS)
def test_finish_keeps_the_best_so_far(kind: str) -> None:
    began = time.monotonic()
    plan = ask(KINDS[kind], FakeRun(finish_after_s=1))
    assert time.monotonic() - began < 1 + 1.5
    assert plan.totals.driving_s < plan.baseline.driving_s


@pytest.mark.parametrize(
    "request_",
    [
        ordering_request("gr202.tsp", budget_s=0.05),
        ordering_request("ftv170.atsp", budget_s=0.7),
        windowed_request("n100w60.001.txt", budget_s=0.7),
        scattered(300, budget_s=1, prizes=True),
    ],
)
def test_the_budget_is_kept(request_: Json) -> None:
    ask(body(stop("a"), stop("b")))  # what a worker loads once is not of this budget
    began = time.monotonic()
    ask(request_)
    assert time.monotonic() - began < request_["budget_s"] + 1  # 0.3 on a quiet machine


def test_progress_rises_and_carries_the_plan() -> None:
    run = FakeRun()
    plan = ask(windowed_request("n60w40.001.txt", budget_s=1.5), run)
    first, *improving = run.reports
    assert "pyvrp" in first.message
    fractions = [report.fraction for report in run.reports]
    assert fractions == sorted(fractions)
    assert {report.stage for report in improving} == {"improving"}
    best = improving[-1].data
    assert best["objective"] == plan.objective
    assert best["plan"]["legs"][0]["from"] == "start"
    assert improving[-1].message.endswith(" km")
    assert len(improving) <= 1.5 * 5 + 1


@pytest.mark.parametrize("kind", ["order", "windows"])
def test_progress_stays_small(kind: str) -> None:
    run = FakeRun(finish_after_s=1.5)
    ask(KINDS[kind], run)
    assert len(run.reports) > 1
    assert max(len(report.model_dump_json()) for report in run.reports) < 60_000
    assert len(run.reports[-1].data["plan"]["order"]) == 500


def test_a_plan_in_full() -> None:
    """Two stops, a wait, a night on the road, fuel, a fixed end, worked out by hand."""
    plan = ask(
        {
            "start": {"name": "Home", "lat": -33.87, "lon": 151.21},
            "end": {"name": "Beach", "lat": -31.95, "lon": 115.86},
            "stops": [
                {
                    "id": "lake",
                    "name": "Lake",
                    "lat": -35.28,
                    "lon": 149.13,
                    "service_s": 3600,
                    "windows": [
                        {"start": "2026-03-01T12:00:00+11:00", "end": "2026-03-01T13:00:00+11:00"}
                    ],
                },
                {"id": "rock", "lat": -34.93, "lon": 138.6, "zone": "Australia/Adelaide"},
            ],
            "depart_at": "2026-03-01T08:00:00+11:00",
            "vehicle": {
                "speed_factor": 0.9,
                "fuel_l_per_100km": "14.5",
                "tank_l": "90",
                "fuel_price": {"amount": "1.92", "currency": "AUD"},
                "height_m": "3.2",
            },
            "matrix": {
                "durations_s": [
                    [0, 10_800, 90_000, 90_000],
                    [9, 0, 43_200, 90_000],
                    [9, 9, 0, 90_000],
                    [9, 9, 9, 0],
                ],
                "distances_m": [
                    [0, 280_000, 0, 0],
                    [0, 0, 1_200_000, 0],
                    [0, 0, 0, 2_700_000],
                    [0, 0, 0, 0],
                ],
            },
        }
    )
    lake, rock = plan.visits
    assert (lake.stop_id, lake.wait_s, lake.zone, lake.day) == ("lake", 3600, "Australia/Sydney", 1)
    assert lake.depart_at == datetime(2026, 3, 1, 2, tzinfo=UTC)
    assert rock.arrive_at == datetime(2026, 3, 1, 14, tzinfo=UTC)  # 01:00 of March 2 in Sydney
    assert (rock.day, rock.zone) == (2, "Australia/Adelaide")
    assert [(leg.from_, leg.to, leg.day) for leg in plan.legs] == [
        ("start", "lake", 1),
        ("lake", "rock", 1),
        ("rock", "end", 2),
    ]
    assert [(day.day, str(day.date), day.driving_s) for day in plan.days] == [
        (1, "2026-03-01", 54_000),
        (2, "2026-03-02", 90_000),
    ]
    totals = plan.totals
    assert (totals.driving_s, totals.distance_m) == (144_000, 4_180_000)
    assert (totals.wait_s, totals.service_s, totals.elapsed_s) == (3600, 3600, 151_200)
    assert totals.days == 3
    assert totals.fuel_l == "606.10"
    assert totals.fuel_cost is not None
    assert totals.fuel_cost.amount == "1163.71"
    assert plan.objective == 144_000
    assert plan.quality.proven_optimal
    assert plan.quality.deterministic
    assert plan.matrix.source == "own"
    assert {notice.code for notice in plan.warnings} == {
        "CLEARANCES_NOT_CHECKED",
        "SPEED_FACTOR_NOT_APPLIED",
        "LEG_BEYOND_RANGE",
    }
    answer = json.loads(plan.model_dump_json())
    assert answer["visits"][0]["arrive_at"] == "2026-03-01T00:00:00Z"
    assert answer["legs"][0]["from"] == "start"
    kinds = [feature["geometry"]["type"] for feature in answer["geojson"]["features"]]
    assert kinds == ["Point"] * 4 + ["LineString"] * 3


def test_without_a_matrix_roads_are_estimated() -> None:
    request = scattered(3, budget_s=1)
    plain, slow = ask(request), ask({**request, "vehicle": {"speed_factor": 0.5}})
    assert plain.matrix.source == "great_circle"
    assert plain.matrix.error_p90 is not None
    assert slow.totals.driving_s == pytest.approx(2 * plain.totals.driving_s, abs=5)
    assert slow.totals.distance_m == plain.totals.distance_m


def test_lines_are_cut_at_the_antimeridian() -> None:
    fiji = {**stop("suva"), "lat": -18.14, "lon": 178.44}
    samoa = {**stop("apia"), "lat": -13.83, "lon": -171.76}
    plan = ask({**body(fiji, samoa), "start": {"lat": -18, "lon": 177}, "matrix": None})
    assert plan.totals.distance_m < 4_000_000
    lines = [f["geometry"] for f in plan.geojson["features"] if f["geometry"]["type"] != "Point"]
    [across, back] = [line for line in lines if line["type"] == "MultiLineString"]
    for line in (across, back):
        longitudes = [point[0] for part in line["coordinates"] for point in part]
        assert {abs(longitude) for longitude in longitudes[1:3]} == {180.0}


@pytest.mark.parametrize("n", [2, 9, 10, 40])
def test_everything_at_one_point(n: int) -> None:
    places = [{**stop(f"s{i}", service_s=60), "lat": 45.0, "lon": 7.0} for i in range(n)]
    request = {**body(*places, budget_s=20), "start": {"lat": 45, "lon": 7}, "matrix": None}
    plan = ask(request)
    assert plan.totals.driving_s == 0
    assert plan.totals.elapsed_s == 60 * n
    assert plan.quality.proven_optimal
    assert plan.quality.gap == 0


def test_the_largest_request() -> None:
    cells = [
        [0 if i == j else 60 + (i * 31 + j * 17) % 5000 for j in range(501)] for i in range(501)
    ]
    stops = [stop(f"s{i}") for i in range(500)]
    request = {
        **body(*stops, budget_s=2),
        "matrix": {"durations_s": cells, "distances_m": cells},
    }
    began = time.monotonic()
    plan = ask(request)
    assert len(plan.visits) == 500
    assert plan.totals.driving_s < plan.baseline.driving_s
    assert time.monotonic() - began < 2 + 2


def test_the_largest_cells_do_not_overflow() -> None:
    stops = [stop(f"s{i}") for i in range(30)]
    weights = {"driving": 999.9999, "elapsed": 1000, "distance": 1000}
    plan = ask(body(*stops, apart_s=100_000_000, objective=weights, budget_s=0.2))
    metres = 31 * 100_000_000
    assert plan.objective == pytest.approx(metres * (999.9999 + 1000 + 1000))
    windowed = body(*(optional(f"s{i}", 1e9, (0, 10**9)) for i in range(12)), apart_s=10**8)
    assert len(ask({**windowed, "objective": weights}).skipped) == 12


class TestInfeasible:
    """Required stops that cannot all be served."""

    def failure(self, request: Json) -> JobFailed:
        with pytest.raises(JobFailed) as failed:
            ask(request)
        assert failed.value.code == "INFEASIBLE"
        assert failed.value.status == 422
        assert not failed.value.retryable
        return failed.value

    @pytest.mark.parametrize("others", [1, 30])
    def test_a_pair(self, others: int) -> None:
        rest = [stop(f"s{i}") for i in range(others)]
        pair = [stop("a", (0, 1500), name="Museum"), stop("b", (0, 1500))]
        failure = self.failure(body(*rest, *pair, budget_s=20))
        assert failure.extra == {"stops": ["a", "b"], "proven": True}
        assert "Museum" in failure.detail

    @pytest.mark.parametrize("others", [1, 30])
    def test_three_of_which_any_two_would_do(self, others: int) -> None:
        rest = [stop(f"s{i}", (0, 90_000)) for i in range(others)]
        three = [stop(key, (0, 2500)) for key in "abc"]
        failure = self.failure(body(*rest, *three))
        assert failure.extra["proven"] is True
        assert set(failure.extra["stops"]) == {"a", "b", "c"}

    def test_too_many_to_prove(self) -> None:
        many = [stop(f"s{i}", (0, 15_500)) for i in range(20)]
        failure = self.failure(body(*many))
        assert failure.extra["proven"] is False
        assert failure.extra["stops"]

    def test_a_detour_may_make_it_possible(self) -> None:
        """Direct roads say no, a quicker way through a third stop says yes."""
        request = body(stop("a", (0, 1000)), stop("b", (0, 2500)), stop("c"))
        request["matrix"]["durations_s"] = [
            [0, 1000, 9000, 9000],
            [9000, 0, 9000, 500],
            [9000, 9000, 0, 9000],
            [9000, 9000, 500, 0],
        ]
        assert [visit.stop_id for visit in ask(request).visits] == ["a", "c", "b"]


def test_skipped_stops_say_why() -> None:
    many = [stop(f"s{i}", (0, 12_500)) for i in range(11)]
    wishes = [
        optional("far", 10),
        optional("shut", 9_000, (0, 10)),
        optional("full", 9_000, (0, 9000)),
    ]
    plan = ask(body(*many, *wishes))
    reasons = {skipped.stop_id: skipped.reason for skipped in plan.skipped}
    assert "would cost 1,000, its prize is 10" in reasons["far"]
    assert "before it can be reached" in reasons["shut"]
    assert set(reasons) <= {"far", "shut", "full"}


def test_departure_with_fractions_of_a_second() -> None:
    request = body(stop("a", (1000, 1001)), stop("b"))
    request["depart_at"] = (DEPART_AT - timedelta(seconds=0.5)).isoformat()
    plan = ask(request)
    assert plan.visits[0].stop_id == "a"
    assert RouteRequest.model_validate(request).depart_at.microsecond == 500_000

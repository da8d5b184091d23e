"""Days of a trip worked out by hand: limits, nights, violations, progress."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings

from core.kind import JobFailed
from tests.tasks.plan_route.asking import FakeRun, ask
from tests.tasks.plan_route.bodies import body
from tests.tasks.plan_route.days_bodies import FIVE_HOURS, HOUR, OFFICE, spot, trip, trips
from tests.tasks.plan_route.reading import driven, local, names, nights

Json = dict[str, Any]


@settings(max_examples=100, deadline=None)
@given(trips())
def test_every_plan_passes_its_check(request_: Json) -> None:
    plan = ask(request_)
    assert len(plan.days) == plan.totals.days == len(nights(plan)) + 1


def test_sleep_at_the_last_stop_before_the_limit() -> None:
    plan = ask(trip([2, 2, 2, 2], *(spot(key) for key in "abcd"), limits=FIVE_HOURS))
    assert nights(plan) == ["b"]
    assert driven(plan) == [4, 4]
    assert plan.violations == []
    assert [visit.day for visit in plan.visits] == [1, 1, 2, 2]
    assert [leg.day for leg in plan.legs] == [1, 1, 2, 2]
    assert local(plan, 1, "depart_at", "UTC") == "03-03 08:00"


def test_only_where_it_is_allowed() -> None:
    stops = [spot("a"), spot("b", overnight=False), spot("c", overnight=False), spot("d")]
    plan = ask(trip([2, 2, 2, 1], *stops, limits=FIVE_HOURS))
    assert nights(plan) == ["a"]
    assert driven(plan) == [2, 5]
    assert plan.violations == []


def test_a_leg_longer_than_a_day_has_nights_by_the_road() -> None:
    plan = ask(trip([12, 1], spot("a"), spot("b"), limits=FIVE_HOURS))
    assert nights(plan) == [None, None]
    assert driven(plan) == [5, 5, 3]
    assert names(plan) == [("DRIVING_LIMIT", 1, 7 * HOUR), ("DRIVING_LIMIT", 2, 2 * HOUR)]
    assert "by the road, 7 h 00 min before a" in plan.violations[0].detail
    assert plan.legs[0].day == 1
    assert plan.visits[0].day == 3


def test_a_day_overruns_by_little_rather_than_end_by_the_road() -> None:
    plan = ask(trip([6, 1], spot("a"), spot("b"), limits=FIVE_HOURS))
    assert nights(plan) == ["a"]
    assert driven(plan) == [6, 1]
    assert names(plan) == [("DRIVING_LIMIT", 1, HOUR)]
    assert "1 h 00 min over the driving time" in plan.violations[0].detail


def test_nobody_may_sleep_anywhere() -> None:
    stops = [spot(key, overnight=False) for key in "abc"]
    plan = ask(trip([4, 4, 4], *stops, limits=FIVE_HOURS))
    assert set(nights(plan)) <= {None, "start"}
    assert len(plan.violations) == len([night for night in nights(plan) if night is None])
    assert plan.violations


def test_the_distance_of_a_day() -> None:
    plan = ask(trip([4, 5], spot("a"), spot("b"), limits={"distance_per_day_m": 300_000}))
    assert [day.distance_m for day in plan.days] == [288_000, 360_000]
    [violation] = plan.violations
    assert (violation.code, violation.by_m) == ("DISTANCE_LIMIT", 60_000)
    assert violation.by_s == 3000


def test_the_hours_of_a_day() -> None:
    plan = ask(trip([5, 4], spot("a", service_s=HOUR), spot("b"), limits=OFFICE))
    assert local(plan, 0, "arrive_at", "UTC") == "03-02 14:00"  # not left before 09:00
    assert nights(plan) == ["a"]
    assert local(plan, 1, "arrive_at", "UTC") == "03-03 13:00"
    assert plan.violations == []


def test_who_departs_in_the_evening_sleeps_at_home() -> None:
    late = {"depart_at": "2026-03-02T20:00:00Z", "limits": OFFICE}
    plan = ask(trip([2, 2], spot("a"), spot("b"), **late))
    assert nights(plan) == ["start"]
    assert plan.violations == []
    assert plan.totals.elapsed_s == 17 * HOUR


def test_three_nights_with_their_price() -> None:
    price = {"amount": "35.50", "currency": "AUD"}
    stay = spot("a", nights=3, night_cost=price, service_s=2 * HOUR)
    plan = ask(trip([2, 2], stay, spot("b"), limits={}))
    assert nights(plan) == ["a"] * 3
    assert local(plan, 0, "depart_at", "UTC") == "03-05 08:00"
    assert [(cost.amount, cost.currency) for cost in plan.totals.nights_cost] == [("106.50", "AUD")]
    assert plan.days[0].night is not None
    assert plan.days[0].night.cost is not None
    assert plan.totals.days == 4


def test_nights_within_a_long_visit_count() -> None:
    plan = ask(trip([2, 2], spot("a", nights=2, service_s=50 * HOUR), spot("b"), limits={}))
    assert nights(plan) == ["a", "a"]
    assert local(plan, 0, "depart_at", "UTC") == "03-04 12:00"


def test_without_limits_a_night_is_24_hours() -> None:
    stay = spot("a", nights=2, service_s=2 * HOUR)
    plan = ask(trip([2, 2], stay, spot("b"), limits=None))
    assert plan.totals.elapsed_s == 52 * HOUR
    assert plan.totals.service_s == 2 * HOUR
    assert plan.violations == []


def test_the_cheaper_of_two_nights() -> None:
    dear = {"amount": "60", "currency": "AUD"}
    stops = [spot("a"), spot("b", night_cost=dear), spot("c", night_cost=dear)]
    plan = ask(trip([1, 2, 2], *stops, limits=FIVE_HOURS | {"day_end": "12:00"}))
    assert nights(plan) == ["a"]


def test_a_night_at_a_visit_where_none_is_allowed() -> None:
    stops = [spot("a", overnight=False, service_s=20 * HOUR), spot("b")]
    plan = ask(trip([2, 1], *stops, limits={}))
    assert nights(plan) == [None]
    [violation] = plan.violations
    assert (violation.code, violation.stop_id, violation.day) == ("NIGHT_NOT_ALLOWED", "a", 1)


def test_a_missed_window_is_named() -> None:
    window = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-03T09:00:00Z"}
    stops = [spot("a"), spot("b", windows=[window])]
    plan = ask(trip([4, 4], *stops, limits=FIVE_HOURS))
    assert names(plan) == [("WINDOW_MISSED", 2, 3 * HOUR)]
    assert plan.violations[0].stop_id == "b"
    assert "b is reached 3 h 00 min after" in plan.violations[0].detail


def test_a_round_trip_goes_the_better_way() -> None:
    """There and back are as long; only one way comes to c while it is open."""
    open_today = [{"days": "mon", "open": "09:00", "close": "12:00"}]
    stops = [spot("a"), spot("b"), spot("c", opening=open_today)]
    request = trip([3, 3, 3], *stops, limits=FIVE_HOURS)
    table = [[0, 3, 9, 3], [3, 0, 3, 9], [9, 3, 0, 3], [3, 9, 3, 0]]
    seconds = [[HOUR * hours for hours in row] for row in table]
    request |= {"end": "start", "matrix": {"durations_s": seconds, "distances_m": seconds}}
    plan = ask(request)
    assert [visit.stop_id for visit in plan.visits] == ["c", "b", "a"]


def test_more_than_ten_years_are_refused() -> None:
    stops = [spot(f"s{i}", nights=366) for i in range(11)]
    with pytest.raises(JobFailed) as failed:
        ask(body(*stops, limits={}))
    assert failed.value.code == "TRIP_TOO_LONG"


def test_progress_carries_the_days() -> None:
    stops = [spot(f"s{i}", lat=i % 9 + i / 100, lon=i * 7 % 10) for i in range(90)]
    run = FakeRun()
    request = {**body(*stops, budget_s=1.2), "matrix": None, "limits": FIVE_HOURS}
    plan = ask(request, run)
    best = run.reports[-1].data
    assert best["plan"]["totals"]["days"] > 5
    fractions = [report.fraction for report in run.reports]
    assert fractions == sorted(fractions)
    assert plan.totals.days > 5


def test_500_stops_stay_within_their_budget() -> None:
    stops = [
        spot(f"s{i}", lat=-18 - (i * 7 % 17), lon=118 + (i * 11 % 31) + i / 1000, service_s=HOUR)
        for i in range(500)
    ]
    request = {**body(*stops, budget_s=2), "matrix": None, "limits": FIVE_HOURS}
    began = time.monotonic()
    plan = ask(request, FakeRun(finish_after_s=2))
    assert time.monotonic() - began < 2 + 6
    assert len(plan.visits) == 500

"""What a route request may say, and that every wrong field is named at once."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from core.kind import Lane
from tasks.plan_route.contract import PLAN_ROUTE, RoutePlan, RouteRequest
from tasks.plan_route.contract.hours import weekdays
from tests.tasks.plan_route.bodies import body, optional, stop

Json = dict[str, Any]


def errors(body: Any) -> dict[str, str]:
    """Error type by dotted field."""
    with pytest.raises(ValidationError) as refused:
        RouteRequest.model_validate(body)
    found = refused.value.errors(include_url=False)
    return {".".join(map(str, error["loc"])): error["type"] for error in found}


def mapped(**more: Any) -> Json:
    """A valid request without a matrix."""
    return {**body(stop("a"), stop("b"), **more), "matrix": None}


def test_kind() -> None:
    assert PLAN_ROUTE.lane is Lane.COMPUTE
    assert PLAN_ROUTE.improves
    assert PLAN_ROUTE.time_limit_s > 120


def test_the_door_loads_no_solver() -> None:
    code = (
        "import sys, tasks.plan_route.contract; "
        "print([m for m in ('numpy', 'pyvrp', 'fast_tsp', 'tzfpy') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"[]"


def test_defaults() -> None:
    request = RouteRequest.model_validate(
        {
            "start": {"lat": -33.87, "lon": 151.21},
            "stops": [{"id": "a", "lat": 0, "lon": 0}, {"id": "b", "lat": 0, "lon": 0}],
            "depart_at": "2026-03-01T08:00:00+11:00",
        }
    )
    assert request.end == "start"
    assert request.budget_s == 5
    assert request.model_dump(mode="json")["depart_at"] == "2026-02-28T21:00:00Z"


def test_a_request_survives_its_own_json() -> None:
    request = RouteRequest.model_validate(
        body(stop("a", (0, 9000)), optional("b", 12.5), end={"name": "x", "lat": 1, "lon": 2})
    )
    assert RouteRequest.model_validate(request.model_dump(mode="json")) == request
    assert RouteRequest.model_validate_json(request.model_dump_json()) == request


def test_every_wrong_field_at_once() -> None:
    found = errors(
        {
            "start": {"lat": 91, "lon": -181},
            "end": {"lat": "1", "lon": 0, "height": 3},
            "stops": [
                {
                    **stop("a", (100, 50)),
                    "overnight": False,
                    "nights": 2,
                    "opening": [
                        {"days": "mon-friday", "open": "09:00", "close": "17:00"},
                        {"days": "sat,sun", "open": "09:00", "close": "09:00"},
                    ],
                    "zone": "Mars/Olympus",
                },
                {**stop("a"), "prize": 3, "service_s": -1, "lat": float("nan")},
                {**stop("start"), "required": False, "lon": float("inf")},
            ],
            "depart_at": "2026-03-01T08:00:00",
            "limits": {"driving_per_day_s": 0, "day_start": "09:00", "day_end": "10:59"},
            "vehicle": {"speed_factor": 0, "fuel_price": {"amount": 1.92, "currency": "aud"}},
            "objective": {"driving": -1, "distance": 0.12345},
            "matrix": {"durations_s": [[0, 1], [-1, 0]], "distances_m": []},
            "budget_s": 0.01,
            "seed": -1,
            "tags": ["", "x" * 101],
            "trip_id": "0199a000-0000-7000-8000-000000000000",
            "colour": "red",
        }
    )
    assert found == {
        "start.lat": "less_than_equal",
        "start.lon": "greater_than_equal",
        "end.lat": "float_type",
        "end.height": "extra_forbidden",
        "stops.0.windows.0.end": "window_order",
        "stops.0.nights": "nights_not_allowed",
        "stops.0.opening.0.days": "weekdays",
        "stops.0.opening.1.close": "opening_empty",
        "stops.0.zone": "zone_unknown",
        "stops.1.prize": "prize_of_required",
        "stops.1.service_s": "greater_than_equal",
        "stops.1.lat": "finite_number",
        "stops.1.id": "stop_id_taken",
        "stops.2.id": "stop_id_reserved",
        "stops.2.lon": "finite_number",
        "stops.2.prize": "prize_missing",
        "depart_at": "timezone_aware",
        "limits.driving_per_day_s": "greater_than_equal",
        "limits.day_end": "day_too_short",
        "vehicle.speed_factor": "greater_than_equal",
        "vehicle.fuel_price.amount": "string_type",
        "vehicle.fuel_price.currency": "string_pattern_mismatch",
        "objective.driving": "greater_than_equal",
        "objective.distance": "too_many_decimals",
        "matrix.durations_s": "matrix_size",
        "matrix.durations_s.0": "matrix_size",
        "matrix.durations_s.1": "matrix_size",
        "matrix.durations_s.1.0": "greater_than_equal",
        "matrix.distances_m": "matrix_size",
        "budget_s": "greater_than_equal",
        "seed": "greater_than_equal",
        "tags.0": "string_too_short",
        "tags.1": "string_too_long",
        "trip_version": "trip_version",
        "colour": "extra_forbidden",
    }


@pytest.mark.parametrize(
    ("change", "field", "kind"),
    [
        ({"end": "home"}, "end", "end_unknown"),
        ({"end": 5}, "end", "model_type"),
        ({"depart_at": 1_700_000_000}, "depart_at", "datetime_format"),
        ({"depart_at": "2026-03-01"}, "depart_at", "datetime_format"),
        ({"depart_at": "9999-12-31T23:59:59-12:00"}, "depart_at", "datetime_range"),
        ({"depart_at": "0001-01-01T00:00:00+12:00"}, "depart_at", "datetime_range"),
        ({"stops": [stop("a")]}, "stops", "too_short"),
        ({"stops": [stop(f"s{i}") for i in range(501)]}, "stops", "too_long"),
        ({"stops": None}, "stops", "list_type"),
        ({"stops": [stop("a\u0000"), stop("b")]}, "stops.0.id", "string_pattern_mismatch"),
        ({"stops": [stop("a", name="\ud800"), stop("b")]}, "stops.0.name", "string_unicode"),
        ({"objective": {"driving": 0}}, "objective", "no_weight"),
        ({"tags": ["t"] * 21}, "tags", "too_long"),
        ({"budget_s": 120.5}, "budget_s", "less_than_equal"),
        ({"budget_s": True}, "budget_s", "float_type"),
        ({"seed": 1.5}, "seed", "int_type"),
        ({"limits": {"day_start": "24:00"}}, "limits.day_start", "string_pattern_mismatch"),
        ({"limits": {"distance_per_day_m": 0.5}}, "limits.distance_per_day_m", "int_type"),
        ({"trip_id": "x"}, "trip_id", "uuid_parsing"),
        (
            {"stops": [stop(f"s{i}", *((0, 9),) * 60) for i in range(40)]},
            "stops",
            "too_many_windows",
        ),
        (
            {"matrix": {"durations_s": [[10**30]], "distances_m": [[0]]}},
            "matrix.durations_s.0.0",
            "less_than_equal",
        ),
    ],
)
def test_refused(change: Json, field: str, kind: str) -> None:
    assert errors({**mapped(), **change})[field] == kind


@pytest.mark.parametrize("nonsense", [None, [], 3, "route"])
def test_a_body_that_is_no_object(nonsense: Any) -> None:
    assert errors(nonsense) == {"": "model_type"}


@pytest.mark.parametrize("end", ["start", "any", {"lat": 0, "lon": 0}])
def test_the_matrix_has_a_row_per_place(end: Any) -> None:
    right = body(stop("a"), stop("b"), end=end)
    RouteRequest.model_validate(right)
    other = {"lat": 0, "lon": 0} if end == "any" else "any" if isinstance(end, dict) else None
    if other is not None:
        assert errors({**right, "end": other})["matrix.durations_s"] == "matrix_size"


def test_the_diagonal_is_not_read() -> None:
    big = [[99_999_999 if i == j else 5 for j in range(3)] for i in range(3)]
    RouteRequest.model_validate(
        {**body(stop("a"), stop("b")), "matrix": {"durations_s": big, "distances_m": big}}
    )


class TestInfeasibleByInspection:
    def test_window_before_departure(self) -> None:
        assert errors(body(stop("a", (-900, -100)), stop("b"))) == {
            "stops.0.windows.0.end": "infeasible"
        }

    def test_the_last_window_is_named(self) -> None:
        late = stop("b", (-50, -40), (100, 900), (50, 60))
        assert errors(body(stop("a"), late)) == {"stops.1.windows.1.end": "infeasible"}

    def test_too_early_even_directly(self) -> None:
        assert errors(body(stop("a", (0, 999)), stop("b"))) == {
            "stops.0.windows.0.end": "infeasible"
        }
        RouteRequest.model_validate(body(stop("a", (0, 1000)), stop("b")))

    def test_a_quicker_detour_counts(self) -> None:
        request = body(stop("a", (0, 700)), stop("b"))
        request["matrix"]["durations_s"] = [[0, 1000, 300], [1, 0, 1], [1, 300, 0]]
        RouteRequest.model_validate(request)

    def test_optional_stops_may_be_out_of_reach(self) -> None:
        RouteRequest.model_validate(body(optional("a", 5, (-900, -100)), stop("b")))

    def test_across_a_continent_in_an_hour(self) -> None:
        perth = {**stop("perth", (0, 3600)), "lat": -31.95, "lon": 115.86}
        sydney = {"lat": -33.87, "lon": 151.21}
        found = errors({**mapped(), "start": sydney, "stops": [perth, stop("b")]})
        assert found == {"stops.0.windows.0.end": "infeasible"}


def test_schemas_are_json() -> None:
    for model in (RouteRequest, RoutePlan):
        for schema in (
            model.model_json_schema(mode="validation"),
            model.model_json_schema(mode="serialization"),
        ):
            assert json.loads(json.dumps(schema))["type"] == "object"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", [0, 1, 2, 3, 4]),
        ("sat,sun", [5, 6]),
        ("Fri - Mon", [0, 4, 5, 6]),
        ("mon,wed-thu", [0, 2, 3]),
        ("daily", [0, 1, 2, 3, 4, 5, 6]),
        ("tue", [1]),
    ],
)
def test_weekdays(text: str, days: list[int]) -> None:
    assert weekdays(text) == days


@pytest.mark.parametrize("text", ["", "monday", "mon-", "mon;tue", "mon,,tue", "daily,mon"])
def test_other_texts_are_no_weekdays(text: str) -> None:
    opening = [{"days": text, "open": "09:00", "close": "17:00"}]
    assert errors(mapped() | {"stops": [stop("a"), stop("b", opening=opening)]}) == {
        "stops.1.opening.0.days": "weekdays"
    }


@pytest.mark.parametrize("day_end", ["00:00", "24:00", "11:00", None])
def test_limits_of_all_kinds(day_end: str | None) -> None:
    RouteRequest.model_validate(mapped(limits={"day_start": "09:00", "day_end": day_end}))
    RouteRequest.model_validate(mapped(limits={}))

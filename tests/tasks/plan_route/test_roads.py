"""What a plan says of the roads that it was made with."""

from __future__ import annotations

from typing import Any

from services.roads import GreatCircle, Highways
from tasks.plan_route.contract import RouteRequest
from tasks.plan_route.engine import plan
from tests.tasks.plan_route.asking import FakeRun

BODY: dict[str, Any] = {
    "start": {"name": "Sydney", "lat": -33.87, "lon": 151.21},
    "end": "start",
    "stops": [
        {"id": "a", "name": "Orange", "lat": -33.28, "lon": 149.1},
        {"id": "b", "name": "Dubbo", "lat": -32.24, "lon": 148.6},
    ],
    "depart_at": "2026-03-01T08:00:00+11:00",
    "budget_s": 0.2,
}
HOBART = {"id": "c", "name": "Hobart", "lat": -42.88, "lon": 147.33}


def test_highways_are_credited() -> None:
    made = plan(RouteRequest.model_validate(BODY), run=FakeRun(), roads=Highways())
    assert made.matrix.source == "highway_graph"
    assert made.matrix.error_p90 == "0.08"
    [notice] = [notice for notice in made.warnings if notice.code == "ATTRIBUTION"]
    assert notice.detail == "Roads: © OpenStreetMap contributors"
    great = plan(RouteRequest.model_validate(BODY), run=FakeRun(), roads=GreatCircle())
    assert great.warnings == []


def test_estimates_among_them_are_told() -> None:
    body = {**BODY, "stops": [*BODY["stops"], HOBART], "vehicle": {"speed_factor": 0.9}}
    made = plan(RouteRequest.model_validate(body), run=FakeRun(), roads=Highways())
    assert made.matrix.source == "great_circle"
    assert [notice.code for notice in made.warnings] == ["ROADS_PARTLY_ESTIMATED", "ATTRIBUTION"]


def test_an_own_matrix_credits_nobody() -> None:
    table = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    body = {**BODY, "matrix": {"durations_s": table, "distances_m": table}}
    made = plan(RouteRequest.model_validate(body), run=FakeRun(), roads=Highways())
    assert (made.matrix.source, made.warnings) == ("own", [])

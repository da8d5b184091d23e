"""The matrix for frontends: quick, offline, and exact about what is wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from tests.conftest import User
from tests.faults.client import Client
from tests.stack import ROOT, UNMEASURED, ApiChild, Stores

PATH = "/api/v1/matrix"
SYDNEY, MELBOURNE, TOKYO, OSAKA = (
    "-33.8688,151.2093",
    "-37.8136,144.9631",
    "35.68,139.77",
    "34.69,135.5",
)


async def ask(user: User, points: str, **params: Any) -> Any:
    return await user.http.get(PATH, params={"points": points, **params})


async def test_two_places(user: User) -> None:
    answer = await ask(user, f"{SYDNEY};{MELBOURNE}", profile="driving")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["distances_m"][0][1] == data["distances_m"][1][0] == pytest.approx(878e3, rel=0.05)
    assert data["durations_s"][0][1] == pytest.approx(9.3 * 3600, rel=0.15)
    assert data["distances_m"][0][0] == data["durations_s"][1][1] == 0
    assert {key: data[key] for key in ("source", "attribution", "warnings")} == {
        "source": "highway_graph",
        "attribution": "© OpenStreetMap contributors",
        "warnings": [],
    }
    assert 0 < float(data["error_p90"]) < 0.2


async def test_no_highways_there(user: User) -> None:
    data = (await ask(user, f"{TOKYO};{OSAKA}")).json()["data"]
    assert (data["source"], data["attribution"]) == ("great_circle", None)
    mixed = (await ask(user, f"{TOKYO};{SYDNEY};{MELBOURNE}")).json()["data"]
    assert mixed["source"] == "great_circle"
    assert mixed["attribution"] is not None
    assert [warning["code"] for warning in mixed["warnings"]] == ["ROADS_PARTLY_ESTIMATED"]


def test_the_most_places_in_no_time(stores: Stores) -> None:
    """In a process of its own, as users have it."""
    points = ";".join(f"{35 + i / 3},{-100 + i}" for i in range(25))
    child = ApiChild(stores, UNMEASURED)
    child.ready()
    try:
        client = Client(child.url)
        seconds = []
        for _ in range(6):  # the first reads the graph
            began = time.monotonic()
            answer = client.http.get("/api/v1/matrix", params={"points": points})
            seconds.append(time.monotonic() - began)
            assert len(answer.json()["data"]["durations_s"]) == 25
        client.http.close()
        assert min(seconds) < 0.2, seconds
    finally:
        child.kill()


@pytest.mark.parametrize(
    ("points", "wrong"),
    [
        ("", {"points", "points.0"}),
        (SYDNEY, {"points"}),
        (";".join([SYDNEY] * 26), {"points"}),
        (f"{SYDNEY};91,0;0,181;{MELBOURNE};1", {"points.1", "points.2", "points.4"}),
        (f"{SYDNEY};nan,0;inf,1;1e1,2;1_0,3;;1,2,3", {f"points.{i}" for i in range(1, 7)}),
        (f"{SYDNEY};{MELBOURNE};", {"points.2"}),
        ("1" * 1001, {"points"}),
    ],
)
async def test_every_wrong_point_is_named(user: User, points: str, wrong: set[str]) -> None:
    answer = await ask(user, points)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error_code"] == "VALIDATION_ERROR"
    assert answer.json()["field_errors"].keys() == wrong


async def test_other_wrong_questions(user: User) -> None:
    flying = await ask(user, f"{SYDNEY};{MELBOURNE}", profile="flying")
    assert flying.json()["field_errors"].keys() == {"profile"}
    nothing = await user.http.get(PATH)
    assert nothing.json()["field_errors"].keys() == {"points"}


async def test_spaces_are_forgiven(user: User) -> None:
    assert (await ask(user, "-33.8688, 151.2093; -37.8136, 144.9631")).status_code == 200


async def test_a_user_who_asks_too_often(running: Any, make_app: Any, user: User) -> None:
    async with running(make_app(rate_limits=True)) as http:
        headers = {"authorization": f"Bearer {user.tokens['access_token']}"}
        statuses: list[int] = []
        # a bucket of 120 that two drops a second leave
        while len(statuses) < 400 and statuses[-1:] != [429]:
            answer = await http.get(PATH, params={"points": "x"}, headers=headers)
            statuses.append(answer.status_code)
    assert statuses[:120] == [422] * 120
    assert statuses[-1] == 429
    assert answer.headers["retry-after"]


def test_the_door_starts_without_the_graph() -> None:
    code = (
        "import sys; from api.app import create_app;"
        "print([name for name in ('numpy', 'services.roads') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]", shown.stderr

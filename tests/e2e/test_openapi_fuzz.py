"""Every operation of the published description, called with what fits it and with what does not.

No answer may be an unhandled error, and each must be one that the description promises: its
status, its media type, its headers, its schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup

from tests.faults.client import TRIP, Client
from tests.stack import UNMEASURED, ApiChild, Stores
from tests.vehicles import a_drive, a_fill

Things = dict[str, list[str]]

load_all_checks()
PROMISES = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
GENERATION = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def api(stores: Stores) -> Iterator[ApiChild]:
    # the stream of all jobs has no end of its own
    child = ApiChild(stores, {"STREAM_LIFETIME_S": "0.3", **UNMEASURED})
    child.ready()
    yield child
    child.stop()
    with stores.sql() as connection:  # what it paused would stand still for all who come after
        connection.execute("DELETE FROM pauses")


def things_of(client: Client) -> Things:
    """What the paths may name: the caller's own things, by the name of the parameter."""
    queued, ended = client.submit(), client.submit()
    client.http.post(f"/api/v1/jobs/{ended}/cancel").raise_for_status()
    trip = client.http.post("/api/v1/trips", json={"title": "West"}).raise_for_status().json()
    trip_id = trip["data"]["id"]
    stop = client.http.post(f"/api/v1/trips/{trip_id}/stops", json=TRIP["stops"][0] | {"id": None})
    nightly = {"kind": "plan_route", "input": TRIP, "cron": "0 3 * * *", "zone": "UTC"}
    schedule = client.http.post("/api/v1/schedules", json=nightly).raise_for_status().json()
    vehicle = client.http.post("/api/v1/vehicles", json={"name": "Bertha"}).raise_for_status()
    log = f"/api/v1/vehicles/{vehicle.json()['data']['id']}"
    fill = client.http.post(f"{log}/fuel-fills", json=a_fill()).raise_for_status().json()
    drive = client.http.post(f"{log}/mileage", json=a_drive()).raise_for_status().json()
    session = client.http.get("/api/v1/auth/sessions").json()["data"][0]["id"]
    return {
        "job_id": [str(queued), str(ended)],
        "trip_id": [trip_id],
        "stop_id": [stop.json()["data"]["id"]] if stop.status_code == 201 else [],
        "schedule_id": [schedule["data"]["id"]],
        "vehicle_id": [vehicle.json()["data"]["id"]],
        "fill_id": [fill["data"]["id"]],
        "entry_id": [drive["data"]["id"]],
        "session_id": [session],
        "user_id": [str(client.user_id)],
    }


def problems_of(
    operation: Any, mode: GenerationMode, client: Client, things: Things
) -> Iterator[str]:
    """What is wrong with the operation's answers, one of each sort."""
    found: dict[str, str] = {}

    @GENERATION
    @given(case=operation.as_strategy(generation_mode=mode), own=st.integers(0, 3))
    def call(case: Any, own: int) -> None:
        for name, ids in things.items():
            if own and ids and name in (case.path_parameters or {}):
                case.path_parameters[name] = ids[own % len(ids)]
        case.headers = {**(case.headers or {}), **client.http.headers}
        answer = case.call(timeout=20)
        try:
            case.validate_response(answer, checks=PROMISES)
        except (Failure, FailureGroup) as failed:
            for one in getattr(failed, "exceptions", [failed]):
                found.setdefault(type(one).__name__, f"{one}\n{case.as_curl_command()}")

    with suppress(Unsatisfiable):  # nothing can be wrong with a request that takes nothing
        call()
    for problem in found.values():
        yield f"{operation.label} ({mode.value}): {problem}"


# a minute where the machine is busy, and every new operation adds a second or two
@pytest.mark.timeout(300)
def test_every_answer_is_one_that_the_description_promises(api: ApiChild, stores: Stores) -> None:
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    problems: list[str] = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        # a user of its own: one of them ends sessions
        client = Client(api.url)
        things = things_of(client)
        if "/admin/" in operation.path or operation.path == "/metrics":
            with stores.sql() as connection:  # past the 403 lies all that could go wrong
                connection.execute(
                    "UPDATE users SET role = 'admin' WHERE id = %s", (client.user_id,)
                )
        if operation.path.endswith("/events"):
            things["job_id"] = things["job_id"][1:]  # a stream of a job with an end
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            problems += problems_of(operation, mode, client, things)
        client.http.close()
    assert problems == [], "\n\n".join(problems)

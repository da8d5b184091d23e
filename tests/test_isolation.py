"""Who may do what: every route for everybody.

A route of the OpenAPI that has no row in `ROUTES` fails a test. A row says what each of four
callers gets; `prepare` makes the things in its path as the owner.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio

from core.ids import new_id
from services.tokens import KeyRing
from tests.artifacts import make_artifact
from tests.conftest import User
from tests.receipts import PHOTO, take_here
from tests.stack import Stores
from tests.trips import Trips, stop
from tests.vehicles import Vehicles, a_drive, a_fill

# what is to be cancelled or tried again must not have been done meanwhile
pytestmark = pytest.mark.usefixtures("held")

JOB = "/api/v1/jobs/{job_id}"
A_TRIP = "/api/v1/trips/{trip_id}"
A_WEBHOOK = "/api/v1/webhooks/{webhook_id}"
A_DELIVERY = A_WEBHOOK + "/deliveries/{delivery_id}"
A_SCHEDULE = "/api/v1/schedules/{schedule_id}"
PAUSE = "/api/v1/admin/pauses/{scope}/{name}"
A_VEHICLE = "/api/v1/vehicles/{vehicle_id}"
A_FILL = A_VEHICLE + "/fuel-fills/{fill_id}"
A_DRIVE = A_VEHICLE + "/mileage/{entry_id}"
A_STOP = A_TRIP + "/stops/{stop_id}"
REPORT = {"period": {"from": "2026-01-01", "to": "2026-02-01"}}


@dataclass(frozen=True)
class Row:
    """What one route answers to {nobody, an expired token, a stranger, the owner}."""

    nobody: int = 401
    expired: int = 401
    stranger: int = 200
    owner: int = 200
    prepare: Callable[[User], Awaitable[dict[str, str]]] | None = None
    body: Any = None
    query: str = ""


def public(status: int = 200, body: Any = None) -> Row:
    """The same for everybody: listed here, or a test fails."""
    return Row(status, status, status, status, body=body)


def owned(
    status: int, prepare: Callable[[User], Awaitable[dict[str, str]]], body: Any = None
) -> Row:
    """One thing of the owner's: absent for strangers."""
    return Row(stranger=404, owner=status, prepare=prepare, body=body)


def own_list(status: int = 200, body: Any = None, query: str = "") -> Row:
    """The caller's own things, whoever calls."""
    return Row(stranger=status, owner=status, body=body, query=query)


async def a_user_id(owner: User) -> dict[str, str]:
    return {"user_id": owner.id}


async def a_session(owner: User) -> dict[str, str]:
    listed = (await owner.http.get("/api/v1/auth/sessions")).json()["data"]
    return {"session_id": listed[0]["id"]}


TRIP = {
    "start": {"name": "Sydney", "lat": -33.87, "lon": 151.21},
    "end": "start",
    "stops": [
        {"id": "a", "name": "Orange", "lat": -33.28, "lon": 149.1},
        {"id": "b", "name": "Dubbo", "lat": -32.24, "lon": 148.6},
    ],
    "depart_at": "2026-03-01T08:00:00+11:00",
}


async def a_job(owner: User) -> dict[str, str]:
    answer = await owner.http.post("/api/v1/routes", json=TRIP)
    assert answer.status_code == 202, answer.text
    return {"job_id": answer.json()["data"]["id"]}


async def an_ended_job(owner: User) -> dict[str, str]:
    made = await a_job(owner)
    answer = await owner.http.post(f"/api/v1/jobs/{made['job_id']}/cancel")
    assert answer.json()["data"]["status"] == "cancelled"
    return made


async def an_artifact(owner: User) -> dict[str, str]:
    made = await asyncio.to_thread(make_artifact, UUID(owner.id))
    return {"artifact_id": str(made)}


async def a_trip(owner: User) -> dict[str, str]:
    return {"trip_id": await Trips(owner).make()}


async def a_stop(owner: User) -> dict[str, str]:
    trips = Trips(owner)
    trip_id = await trips.make("Gosford")
    return {"trip_id": trip_id, "stop_id": (await trips.stops(trip_id))[0]["id"]}


async def a_vehicle(owner: User) -> dict[str, str]:
    return {"vehicle_id": await Vehicles(owner).make()}


async def a_fuel_fill(owner: User) -> dict[str, str]:
    made = await a_vehicle(owner)
    fill = await Vehicles(owner).fill(made["vehicle_id"], "1", 100, "50")
    return {**made, "fill_id": fill["id"]}


async def a_mileage_entry(owner: User) -> dict[str, str]:
    made = await a_vehicle(owner)
    drive = await Vehicles(owner).drive(made["vehicle_id"])
    return {**made, "entry_id": drive["id"]}


WEBHOOK = {"url": "http://127.0.0.1:9/hook"}


async def a_webhook(owner: User) -> dict[str, str]:
    made = await owner.http.post("/api/v1/webhooks", json=WEBHOOK)
    return {"webhook_id": made.json()["data"]["id"]}


async def a_delivery(owner: User) -> dict[str, str]:
    made = await a_webhook(owner)
    ping = await owner.http.post(f"/api/v1/webhooks/{made['webhook_id']}/ping")
    return {**made, "delivery_id": ping.json()["data"]["id"]}


SCHEDULE = {"kind": "plan_route", "input": TRIP, "cron": "0 7 * * *", "zone": "Australia/Sydney"}


async def a_schedule(owner: User) -> dict[str, str]:
    answer = await owner.http.post("/api/v1/schedules", json=SCHEDULE)
    assert answer.status_code == 201, answer.text
    return {"schedule_id": answer.json()["data"]["id"]}


def for_admins(
    body: Any = None, prepare: Callable[[User], Awaitable[dict[str, str]]] | None = None
) -> Row:
    """Neither a stranger nor an owner may, and whether the thing exists makes no difference."""
    return Row(stranger=403, owner=403, body=body, prepare=prepare)


async def a_kind(_owner: User) -> dict[str, str]:
    return {"scope": "kind", "name": "plan_route"}


EXPENSE = {"amount": "182.50", "currency": "AUD", "category": "fuel", "spent_on": "2026-01-14"}
AN_EXPENSE = "/api/v1/expenses/{expense_id}"


async def an_expense(owner: User) -> dict[str, str]:
    answer = await owner.http.post("/api/v1/expenses", json=EXPENSE)
    assert answer.status_code == 201, answer.text
    return {"expense_id": answer.json()["data"]["id"]}


INCOME = {"amount": "10", "currency": "AUD", "category": "salary", "received_on": "2026-01-14"}
AN_INCOME = "/api/v1/incomes/{income_id}"
A_CATEGORY = "/api/v1/categories/{category_id}"


async def an_income(owner: User) -> dict[str, str]:
    answer = await owner.http.post("/api/v1/incomes", json=INCOME)
    return {"income_id": answer.json()["data"]["id"]}


async def a_category(owner: User) -> dict[str, str]:
    name = f"Wine {new_id()}"
    answer = await owner.http.post("/api/v1/categories", json={"name": name})
    return {"category_id": answer.json()["data"]["id"]}


BUDGET = {"amount": "600", "currency": "AUD", "category": "fuel"}
A_BUDGET = "/api/v1/budgets/{budget_id}"


async def a_budget(owner: User) -> dict[str, str]:
    answer = await owner.http.post("/api/v1/budgets", json=BUDGET)
    return {"budget_id": answer.json()["data"]["id"]}


RECEIPTS = "/api/v1/receipts"
A_RECEIPT = RECEIPTS + "/{receipt_id}"


async def a_receipt(owner: User) -> dict[str, str]:
    """One that is ready."""
    answer = await owner.http.post(RECEIPTS, content=PHOTO)
    assert answer.status_code == 201, answer.text
    receipt_id = answer.json()["data"]["id"]
    await asyncio.to_thread(take_here, UUID(owner.id), UUID(receipt_id))
    return {"receipt_id": receipt_id}


async def a_page(owner: User) -> dict[str, str]:
    return {**await a_receipt(owner), "number": "1"}


UNKNOWN = {"email": "nobody@example.com", "password": "wrong password"}

ROUTES: dict[tuple[str, str], Row] = {
    ("GET", "/livez"): public(),
    ("GET", "/readyz"): public(),
    ("GET", "/.well-known/jwks.json"): public(),
    ("GET", "/metrics"): for_admins(),
    # sign-in
    ("POST", "/api/v1/auth/signup"): public(422, {}),
    ("POST", "/api/v1/auth/login"): public(401, UNKNOWN),
    ("POST", "/api/v1/auth/refresh"): public(401, {"refresh_token": "unknown"}),
    ("POST", "/api/v1/auth/logout"): own_list(204),
    ("GET", "/api/v1/auth/me"): own_list(),
    ("GET", "/api/v1/auth/sessions"): own_list(),
    ("DELETE", "/api/v1/auth/sessions/{session_id}"): owned(204, a_session),
    ("GET", "/api/v1/users/{user_id}"): owned(200, a_user_id),
    # jobs
    ("POST", "/api/v1/routes"): own_list(202, TRIP),
    ("POST", "/api/v1/reports"): own_list(202, {"trip_id": None, "currency": "AUD", **REPORT}),
    ("GET", "/api/v1/matrix"): own_list(query="?points=-33.87,151.21;-33.28,149.1"),
    ("GET", "/api/v1/jobs"): own_list(),
    ("POST", "/api/v1/jobs:batch"): own_list(
        202, {"jobs": [{"kind": "plan_route", "input": TRIP}]}
    ),
    ("GET", JOB): owned(200, a_job),
    ("GET", f"{JOB}/attempts"): owned(200, a_job),
    ("GET", f"{JOB}/explain"): owned(200, a_job),
    ("GET", f"{JOB}/events"): owned(200, a_job),
    ("GET", "/api/v1/events"): own_list(),
    ("POST", "/api/v1/stream-tickets"): own_list(201, {}),
    ("POST", f"{JOB}/cancel"): owned(200, a_job),
    ("POST", f"{JOB}/finish"): owned(202, a_job),
    ("POST", f"{JOB}/retry"): owned(202, an_ended_job),
    ("GET", "/api/v1/artifacts/{artifact_id}"): owned(200, an_artifact),
    ("POST", "/api/v1/artifacts/{artifact_id}/links"): owned(201, an_artifact, {}),
    # operators
    ("GET", "/api/v1/admin/jobs"): for_admins(),
    ("GET", "/api/v1/admin/jobs/{job_id}"): for_admins(prepare=a_job),
    ("GET", "/api/v1/admin/dead-letters"): for_admins(),
    ("POST", "/api/v1/admin/dead-letters/replay"): for_admins({}),
    ("POST", "/api/v1/admin/dead-letters/{job_id}/replay"): for_admins(prepare=an_ended_job),
    ("GET", "/api/v1/admin/pauses"): for_admins(),
    ("PUT", PAUSE): for_admins({}, a_kind),
    ("DELETE", PAUSE): for_admins(prepare=a_kind),
    ("GET", "/api/v1/admin/workers"): for_admins(),
    ("POST", "/api/v1/admin/workers/{name}/drain"): for_admins(prepare=a_kind),
    ("GET", "/api/v1/admin/actions"): for_admins(),
    # trips
    ("POST", "/api/v1/trips"): own_list(201, {"title": "Up the coast"}),
    ("GET", "/api/v1/trips"): own_list(),
    ("GET", A_TRIP): owned(200, a_trip),
    ("PATCH", A_TRIP): owned(200, a_trip, {"title": "Down the coast"}),
    ("DELETE", A_TRIP): owned(204, a_trip),
    ("POST", f"{A_TRIP}/restore"): owned(200, a_trip),
    ("GET", f"{A_TRIP}/stops"): owned(200, a_trip),
    ("POST", f"{A_TRIP}/stops"): owned(201, a_trip, stop()),
    ("POST", f"{A_TRIP}/stops/bulk"): owned(201, a_trip, {"stops": [stop()]}),
    ("PUT", f"{A_TRIP}/stop-order"): owned(200, a_trip, {"stop_ids": []}),
    ("GET", A_STOP): owned(200, a_stop),
    ("PATCH", A_STOP): owned(200, a_stop, {"position": 1}),
    ("DELETE", A_STOP): owned(204, a_stop),
    # vehicles
    ("POST", "/api/v1/vehicles"): own_list(201, {"name": "Bertha"}),
    ("GET", "/api/v1/vehicles"): own_list(),
    ("GET", A_VEHICLE): owned(200, a_vehicle),
    ("PATCH", A_VEHICLE): owned(200, a_vehicle, {"name": "Old Bertha"}),
    ("DELETE", A_VEHICLE): owned(204, a_vehicle),
    ("POST", f"{A_VEHICLE}/restore"): owned(200, a_vehicle),
    ("GET", f"{A_VEHICLE}/fuel-fills"): owned(200, a_vehicle),
    ("POST", f"{A_VEHICLE}/fuel-fills"): owned(201, a_vehicle, a_fill()),
    ("GET", A_FILL): owned(200, a_fuel_fill),
    ("PATCH", A_FILL): owned(200, a_fuel_fill, {"note": "x"}),
    ("DELETE", A_FILL): owned(204, a_fuel_fill),
    ("GET", f"{A_VEHICLE}/economy"): owned(200, a_vehicle),
    ("GET", f"{A_VEHICLE}/mileage"): owned(200, a_vehicle),
    ("POST", f"{A_VEHICLE}/mileage"): owned(201, a_vehicle, a_drive()),
    ("GET", A_DRIVE): owned(200, a_mileage_entry),
    ("PATCH", A_DRIVE): owned(200, a_mileage_entry, {"note": "x"}),
    ("DELETE", A_DRIVE): owned(204, a_mileage_entry),
    # the books
    ("POST", "/api/v1/expenses"): own_list(201, EXPENSE),
    ("GET", "/api/v1/expenses"): own_list(),
    ("GET", AN_EXPENSE): owned(200, an_expense),
    ("GET", f"{AN_EXPENSE}/split"): owned(200, an_expense),
    ("PATCH", AN_EXPENSE): owned(200, an_expense, {"amount": "-3.00"}),
    ("DELETE", AN_EXPENSE): owned(204, an_expense),
    ("POST", f"{AN_EXPENSE}/restore"): owned(200, an_expense),
    ("POST", "/api/v1/incomes"): own_list(201, INCOME),
    ("GET", "/api/v1/incomes"): own_list(),
    ("GET", AN_INCOME): owned(200, an_income),
    ("PATCH", AN_INCOME): owned(200, an_income, {"amount": "11"}),
    ("DELETE", AN_INCOME): owned(204, an_income),
    ("POST", f"{AN_INCOME}/restore"): owned(200, an_income),
    ("POST", "/api/v1/categories"): own_list(201, {"name": "Cheese"}),
    ("GET", "/api/v1/categories"): own_list(),
    ("GET", A_CATEGORY): owned(200, a_category),
    ("PATCH", A_CATEGORY): owned(200, a_category, {"name": "Cheese"}),
    ("DELETE", A_CATEGORY): owned(204, a_category),
    ("POST", f"{A_CATEGORY}/restore"): owned(200, a_category),
    ("POST", "/api/v1/budgets"): own_list(201, BUDGET),
    ("GET", "/api/v1/budgets"): own_list(),
    ("GET", A_BUDGET): owned(200, a_budget),
    ("PATCH", A_BUDGET): owned(200, a_budget, {"amount": "700"}),
    ("DELETE", A_BUDGET): owned(204, a_budget),
    ("POST", f"{A_BUDGET}/restore"): owned(200, a_budget),
    ("GET", "/api/v1/finance/summary"): own_list(),
    ("GET", "/api/v1/finance/settings"): own_list(),
    ("PUT", "/api/v1/finance/settings"): own_list(200, {"currency": "AUD"}),
    # whose file it is, says tests/api/test_imports.py
    ("POST", "/api/v1/imports"): own_list(422, {}),
    ("POST", "/api/v1/exports"): own_list(202, {}),
    # receipts
    ("POST", RECEIPTS): own_list(201, PHOTO),
    ("GET", RECEIPTS): own_list(),
    ("GET", A_RECEIPT): owned(200, a_receipt),
    ("PATCH", A_RECEIPT): owned(200, a_receipt, {"name": "Diesel"}),
    ("DELETE", A_RECEIPT): owned(204, a_receipt),
    ("POST", f"{A_RECEIPT}/restore"): owned(200, a_receipt),
    ("POST", f"{A_RECEIPT}/read"): owned(202, a_receipt),
    ("GET", f"{A_RECEIPT}/file"): owned(200, a_receipt),
    ("GET", f"{A_RECEIPT}/thumbnail"): owned(200, a_receipt),
    ("GET", f"{A_RECEIPT}/pages/{{number}}"): owned(200, a_page),
    # webhooks
    ("POST", "/api/v1/webhooks"): own_list(201, WEBHOOK),
    ("GET", "/api/v1/webhooks"): own_list(),
    ("GET", A_WEBHOOK): owned(200, a_webhook),
    ("PATCH", A_WEBHOOK): owned(200, a_webhook, {"enabled": False}),
    ("DELETE", A_WEBHOOK): owned(204, a_webhook),
    ("POST", f"{A_WEBHOOK}/rotate"): owned(200, a_webhook),
    ("POST", f"{A_WEBHOOK}/ping"): owned(202, a_webhook),
    ("GET", f"{A_WEBHOOK}/deliveries"): owned(200, a_webhook),
    ("GET", A_DELIVERY): owned(200, a_delivery),
    ("POST", f"{A_DELIVERY}/replay"): owned(202, a_delivery),
    # schedules
    ("POST", "/api/v1/schedules"): own_list(201, SCHEDULE),
    ("GET", "/api/v1/schedules"): own_list(),
    ("GET", A_SCHEDULE): owned(200, a_schedule),
    ("PATCH", A_SCHEDULE): owned(200, a_schedule, {"enabled": False}),
    ("DELETE", A_SCHEDULE): owned(204, a_schedule),
    ("POST", f"{A_SCHEDULE}/run"): owned(202, a_schedule),
    ("GET", f"{A_SCHEDULE}/runs"): owned(200, a_schedule),
}


@pytest_asyncio.fixture
async def description(http: httpx2.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get("/openapi.json")).json()
    return found


class TestEveryRoute:
    async def test_has_a_row(self, description: dict[str, Any]) -> None:
        described = {
            (verb.upper(), path)
            for path, operations in description["paths"].items()
            for verb in operations
        }
        assert described - ROUTES.keys() == set(), "say in ROUTES who may call these"
        assert ROUTES.keys() - described == set(), "these are gone"

    async def test_is_guarded_or_public_as_described(self, description: dict[str, Any]) -> None:
        for (verb, path), row in ROUTES.items():
            guarded = description["paths"][path][verb.lower()]["security"] != []
            assert guarded == (row.nobody == 401 and row.owner != 401), (verb, path)

    @pytest.mark.parametrize(("verb", "path"), ROUTES)
    async def test_answers_each_caller_as_listed(
        self, verb: str, path: str, callers: Callers
    ) -> None:
        row = ROUTES[verb, path]
        made = await row.prepare(callers.owner) if row.prepare else {}
        for name in ("nobody", "expired", "stranger", "owner"):
            address = path.format(**made) + row.query
            status, problem = await callers.call(name, verb, address, row.body)
            assert status == getattr(row, name), (name, problem)

    @pytest.mark.parametrize(
        ("verb", "path"), [key for key, row in ROUTES.items() if row.stranger == 404]
    )
    async def test_shows_a_stranger_nothing_but_absence(
        self, verb: str, path: str, callers: Callers
    ) -> None:
        row = ROUTES[verb, path]
        assert row.prepare is not None
        made = await row.prepare(callers.owner)
        _, foreign = await callers.call("stranger", verb, path.format(**made), row.body)
        absent_ids = {name: str(new_id()) for name in made if name != "number"}
        absent_ids = {**made, **absent_ids}
        _, absent = await callers.call("stranger", verb, path.format(**absent_ids), row.body)
        assert foreign == absent

    @pytest.mark.parametrize(
        ("verb", "path"),
        [
            (verb, path)
            for (verb, path), row in ROUTES.items()
            if row.owner < 400 and row.nobody == 401 and not path.startswith("/api/v1/users/")
        ],
    )
    async def test_below_a_user_id_is_for_that_user(
        self, verb: str, path: str, callers: Callers
    ) -> None:
        row = ROUTES[verb, path]
        made = await row.prepare(callers.owner) if row.prepare else {}
        below = path.format(**made).replace("/api/v1/", f"/api/v1/users/{callers.owner.id}/", 1)
        below += row.query
        for name, expected in (("nobody", 401), ("stranger", 404), ("owner", row.owner)):
            status, problem = await callers.call(name, verb, below, row.body)
            assert status == expected, (name, problem)


class Callers:
    """An owner, and those who are not."""

    def __init__(self, http: httpx2.AsyncClient, owner: User, stranger: User, expired: str) -> None:
        self.http, self.owner = http, owner
        self._tokens = {
            "nobody": None,
            "expired": expired,
            "stranger": stranger.tokens["access_token"],
            "owner": owner.tokens["access_token"],
        }

    async def call(self, name: str, verb: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and, of an error, the body without its request id."""
        token = self._tokens[name]
        headers = {"authorization": f"Bearer {token}"} if token else {}
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        # a stream is not read to its end
        async with self.http.stream(verb, path, headers=headers, **sent) as answer:
            problem = None
            if answer.status_code >= 400:
                await answer.aread()
                problem = answer.json()
                del problem["request_id"]
            return answer.status_code, problem


@pytest_asyncio.fixture
async def callers(http: httpx2.AsyncClient, sign_up: Any, stores: Stores) -> AsyncIterator[Callers]:
    import jwt

    owner, stranger = await sign_up(), await sign_up()
    keys = KeyRing.from_pem(stores.key_file.read_text())
    claims = jwt.decode(owner.tokens["access_token"], options={"verify_signature": False})
    claims["exp"] = int(time.time()) - 5
    headers = {"typ": "at+jwt", "kid": keys.signing_id}
    expired = jwt.encode(claims, keys.signing, algorithm="EdDSA", headers=headers)
    yield Callers(http, owner, stranger, expired)

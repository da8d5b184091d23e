"""Prefer: wait over HTTP: the same 202, held until the job ends or the time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from tests.api.conftest import Running
from tests.conftest import User
from tests.errands import Errands, soon, url
from tests.stack import Child
from tests.tasks.plan_route.bodies import body, stop


class Patient:
    """A client that submits errands and says how long it would wait."""

    def __init__(self, http: httpx2.AsyncClient, errands: Errands, token: str) -> None:
        self.http = http
        self.errands = errands
        self.bearer = ("Authorization", f"Bearer {token}")

    async def submit(self, *prefer: str) -> httpx2.Response:
        """Post with one header line per argument."""
        lines = [self.bearer, *(("Prefer", line) for line in prefer)]
        return await self.http.post("/errands", json={}, headers=lines)

    def accepted(self) -> Any:
        """The newest job of the user, as soon as it is committed."""
        query = "SELECT id FROM jobs WHERE owner_id = %s ORDER BY id DESC LIMIT 1"
        return self.errands.lab.stores.one(query, self.errands.owner_id)

    async def submit_and_end(self, *prefer: str) -> httpx2.Response:
        """Post, and end the job as soon as it is there."""
        before = self.accepted()
        answer = asyncio.create_task(self.submit(*prefer))
        job_id: UUID = await soon(lambda: self.accepted() not in (None, before) and self.accepted())
        self.errands.succeed(self.errands.claim(job_id))
        self.errands.hint(job_id)
        return await answer


@pytest_asyncio.fixture
async def patient(
    errand_app: FastAPI, running: Running, errands: Errands, user: User
) -> AsyncIterator[Patient]:
    async with running(errand_app) as http:
        yield Patient(http, errands, user.tokens["access_token"])


def applied(answer: httpx2.Response) -> str | None:
    value: str | None = answer.headers.get("preference-applied")
    return value


class TestTheWait:
    async def test_ends_with_the_job(self, patient: Patient) -> None:
        began = time.monotonic()
        answer = await patient.submit_and_end("wait=20")
        assert time.monotonic() - began < 5
        assert (answer.status_code, applied(answer)) == (202, "wait=20")
        job = answer.json()["data"]
        assert (job["status"], job["result"]) == ("succeeded", {"steps": 1})
        assert answer.headers["location"] == url(job["id"])
        assert answer.headers["etag"] == f'"succeeded-{job["seq"]}"'
        assert "retry-after" not in answer.headers

    async def test_ends_with_the_time(self, patient: Patient) -> None:
        began = time.monotonic()
        answer = await patient.submit("wait=1")
        assert 0.9 < time.monotonic() - began < 10  # with its own second, not at the most of 25
        assert (answer.status_code, applied(answer)) == (202, "wait=1")
        assert answer.json()["data"]["status"] == "queued"
        assert answer.headers["retry-after"] == "1"

    async def test_answers_what_is_true_at_its_end(self, patient: Patient) -> None:
        answer = asyncio.create_task(patient.submit("wait=1"))
        patient.errands.claim(await soon(patient.accepted))
        assert (await answer).json()["data"]["status"] == "running"

    async def test_holds_no_connection(self, patient: Patient, errand_app: FastAPI) -> None:
        answer = asyncio.create_task(patient.submit("wait=20"))
        job_id = await soon(patient.accepted)
        pool = errand_app.state.services.databases.app.engine.pool
        await soon(lambda: pool.checkedout() == 0)
        assert not answer.done()
        await patient.http.post(url(job_id, "/cancel"), headers=[patient.bearer])
        assert (await answer).json()["data"]["status"] == "cancelled"

    async def test_leaves_no_follower_behind(self, patient: Patient, errand_app: FastAPI) -> None:
        await asyncio.gather(patient.submit("wait=1"), patient.submit("wait=1"))
        followers = errand_app.state.engine_room.hub._followers
        await soon(lambda: not followers, 2)

    async def test_with_a_real_worker_saves_the_poll(
        self, user: User, compute_worker: Child
    ) -> None:
        trip = body(stop("a"), stop("b"))
        answer = await user.http.post("/api/v1/routes", json=trip, headers={"Prefer": "wait=25"})
        assert (answer.status_code, applied(answer)) == (202, "wait=25")
        job = answer.json()["data"]
        assert job["status"] == "succeeded"
        assert [visit["stop_id"] for visit in job["result"]["visits"]]


class TestThePreference:
    @pytest.mark.parametrize(
        ("prefer", "seconds"),
        [
            (["wait=100"], 25),
            ([f"wait={'9' * 5000}"], 25),
            (["respond-async, wait=7"], 7),
            (["respond-async; x=1, wait=7, handling=lenient"], 7),
            (["respond-async", "wait=7"], 7),
            (["WAIT = 7"], 7),
            (['wait="7"'], 7),
            (["wait=7, wait=9"], 7),
        ],
        ids=lambda value: str(value)[:40],
    )
    async def test_is_understood(
        self, patient: Patient, prefer: Sequence[str], seconds: int
    ) -> None:
        answer = await patient.submit_and_end(*prefer)
        assert (answer.status_code, applied(answer)) == (202, f"wait={seconds}")

    @pytest.mark.parametrize(
        "prefer",
        [
            *("", "wait", "wait=", "wait=0", "wait=-3", "wait=1.5", "wait=soon", "wait=²"),
            *("waiting=9", "respond-async", ",;,=", "wait=1e1", "x; wait=9"),
        ],
    )
    async def test_is_ignored_when_it_makes_no_sense(self, patient: Patient, prefer: str) -> None:
        lines = [patient.bearer, ("Prefer", prefer)]
        headers = [(name.encode(), value.encode("latin-1")) for name, value in lines]
        answer = await patient.http.post("/errands", json={}, headers=headers)
        assert (answer.status_code, applied(answer)) == (202, None)
        assert answer.json()["data"]["status"] == "queued"

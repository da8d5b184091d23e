"""Limits: what is counted where, what the headers say, and a store that hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import Request

from api import limits
from api.limits import (
    SIGN_IN_PER_ACCOUNT,
    SIGN_IN_PER_ADDRESS,
    Buckets,
    Limiter,
    Rule,
    SharedCounters,
    Verdict,
    judge,
)
from api.visit import begin_visit, visit_of
from core.errors import TooManyRequests
from core.settings import Settings
from local.valkey import Valkey
from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.stack import Stores

TEN = Rule("ten", 10, 60)
LOGIN = "/api/v1/auth/login"


def login_body(email: str = "nobody@example.com") -> dict[str, str]:
    return {"email": email, "password": "wrong password"}


class TestBuckets:
    def test_allow_a_burst_and_then_the_rate(self) -> None:
        buckets = Buckets()
        burst = [buckets.hit(TEN, "a", now=0) for _ in range(11)]
        assert [verdict.allowed for verdict in burst] == [True] * 10 + [False]
        assert [verdict.remaining for verdict in burst] == [*range(9, -1, -1), 0]
        assert burst[-1].reset_s == pytest.approx(6)
        assert not buckets.hit(TEN, "a", now=5.9).allowed
        assert buckets.hit(TEN, "a", now=6.1).allowed
        assert not buckets.hit(TEN, "a", now=6.2).allowed

    def test_know_keys_and_rules_apart(self) -> None:
        buckets = Buckets()
        for _ in range(10):
            buckets.hit(TEN, "a", now=0)
        assert not buckets.hit(TEN, "a", now=0).allowed
        assert buckets.hit(TEN, "b", now=0).allowed
        assert buckets.hit(Rule("other", 10, 60), "a", now=0).allowed

    def test_a_refusal_costs_nothing(self) -> None:
        buckets = Buckets()
        for _ in range(100):
            buckets.hit(TEN, "a", now=0)
        assert buckets.hit(TEN, "a", now=6.1).allowed

    def test_forget_those_who_have_recovered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MANY_KEYS", 10)
        buckets = Buckets()
        for number in range(10):
            buckets.hit(TEN, str(number), now=0)
        buckets.hit(TEN, "late", now=100)
        assert len(buckets._full_at) == 1


class TestHeaders:
    def _request(self) -> Request:
        scope: dict[str, Any] = {"type": "http", "headers": []}
        begin_visit(scope, "r")
        return Request(scope)

    def test_are_those_of_the_draft_and_the_usual_ones(self) -> None:
        request = self._request()
        judge(request, [Verdict(TEN, True, 7, 11.5), Verdict(Rule("b", 100, 1), True, 99, 0.1)])
        headers = visit_of(request.scope).headers
        assert headers["RateLimit-Policy"] == '"ten";q=10;w=60, "b";q=100;w=1'
        assert headers["RateLimit"] == '"ten";r=7;t=12, "b";r=99;t=1'
        assert headers["X-RateLimit-Limit"] == "10"
        assert headers["X-RateLimit-Remaining"] == "7"
        assert abs(int(headers["X-RateLimit-Reset"]) - time.time() - 11.5) < 2

    def test_a_refusal_says_when_to_come_back(self) -> None:
        with pytest.raises(TooManyRequests) as refused:
            judge(self._request(), [Verdict(TEN, False, 0, 5.2), Verdict(TEN, True, 3, 50)])
        assert refused.value.retry_after_s == 6


class TestWrites:
    async def test_are_counted_per_user_without_the_store(
        self, make_app: MakeApp, running: Running, sign_up: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api.deps.WRITES", Rule("writes", 3, 60))
        ann, bob = await sign_up(), await sign_up()
        path = "/api/v1/auth/sessions/01a1fd81-bcfb-70b2-966b-015b4c455be7"

        async with running(make_app(rate_limits=True)) as http:

            async def write(user: User) -> httpx2.Response:
                headers = {"authorization": user.http.headers["authorization"]}
                return await http.delete(path, headers=headers)

            answers = [await write(ann) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
            assert answers[0].headers["ratelimit"] == '"writes";r=2;t=20'
            assert answers[3].json()["error_code"] == "RATE_LIMITED"
            assert 0 < int(answers[3].headers["retry-after"]) <= 20
            assert (await write(bob)).status_code == 404
            me = await http.get(
                "/api/v1/auth/me", headers={"authorization": ann.http.headers["authorization"]}
            )
            assert me.status_code == 200
            assert "ratelimit" not in me.headers


class TestSwitch:
    async def test_off_counts_nothing(self, http: httpx2.AsyncClient) -> None:
        for _ in range(SIGN_IN_PER_ACCOUNT.amount + 2):
            answer = await http.post(LOGIN, json=login_body("switch@example.com"))
            assert answer.status_code == 401
        assert "ratelimit" not in answer.headers


@pytest_asyncio.fixture
async def counters(stores: Stores, valkey: Valkey) -> AsyncIterator[SharedCounters]:
    counters = SharedCounters(Settings().model_copy(update={"redis_url": valkey.url()}))
    await counters.start()
    yield counters
    await counters.stop()


async def up(counters: SharedCounters, expected: bool, within_s: float = 3) -> None:
    give_up_at = time.monotonic() + within_s
    while counters.up != expected:
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.02)


class TestSharedCounters:
    async def test_count_for_all_processes(self, counters: SharedCounters, valkey: Valkey) -> None:
        other = SharedCounters(Settings().model_copy(update={"redis_url": valkey.url()}))
        await other.start()
        await up(counters, True)
        verdicts = [await counters.hit(TEN, "x") for _ in range(5)]
        verdicts += [await other.hit(TEN, "x") for _ in range(6)]
        await other.stop()
        known = [verdict for verdict in verdicts if verdict is not None]
        assert len(known) == 11
        assert [verdict.allowed for verdict in known] == [True] * 10 + [False]
        assert 0 < known[-1].reset_s <= 120

    async def test_survive_a_flush_and_a_restart(
        self, counters: SharedCounters, valkey: Valkey
    ) -> None:
        await up(counters, True)
        await counters.hit(TEN, "x")
        valkey.kill()
        await up(counters, False)
        assert await counters.hit(TEN, "x") is None
        valkey.start()
        await up(counters, True)
        assert await counters.hit(TEN, "x") is not None

    async def test_a_frozen_store_is_given_up_at_once(
        self, counters: SharedCounters, valkey: Valkey
    ) -> None:
        await up(counters, True)
        await counters.hit(TEN, "x")
        valkey.pause()
        began = time.perf_counter()
        assert await counters.hit(TEN, "x") is None
        assert time.perf_counter() - began < 0.25  # 50 ms on an idle machine
        assert not counters.up
        began = time.perf_counter()
        for _ in range(100):
            await counters.hit(TEN, "x")
        assert time.perf_counter() - began < 0.1
        valkey.resume()
        await up(counters, True)

    async def test_a_probe_learns_that_the_store_is_frozen(
        self, counters: SharedCounters, valkey: Valkey
    ) -> None:
        await up(counters, True)
        valkey.pause()
        await up(counters, False)
        valkey.resume()
        await up(counters, True)

    async def test_a_frozen_store_does_not_delay_the_start(
        self, stores: Stores, valkey: Valkey
    ) -> None:
        valkey.pause()
        limiter = Limiter(
            Settings().model_copy(update={"redis_url": valkey.url(), "rate_limits": True})
        )
        began = time.perf_counter()
        await limiter.start()
        await limiter.stop()
        assert time.perf_counter() - began < 1


class TestSignIn:
    async def test_is_limited_by_account_and_the_store_holds_no_address(
        self,
        make_app: MakeApp,
        running: Running,
        valkey: Valkey,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        import redis

        # one late answer of the store and a local bucket would count from nothing
        monkeypatch.setattr(limits, "STORE_PATIENCE_S", 2.0)
        app = make_app(rate_limits=True, redis_url=valkey.url())
        async with running(app) as http:
            statuses = []
            for number in range(SIGN_IN_PER_ACCOUNT.amount + 1):
                email = "Target@example.com" if number % 2 else " target@EXAMPLE.com"
                answer = await http.post(LOGIN, json=login_body(email))
                statuses.append(answer.status_code)
            other = await http.post(LOGIN, json=login_body("other@example.com"))
        assert statuses == [401] * SIGN_IN_PER_ACCOUNT.amount + [429]
        assert answer.json()["error_code"] == "RATE_LIMITED"
        assert int(answer.headers["retry-after"]) > 0
        assert '"sign-in-account";r=0' in answer.headers["ratelimit"]
        assert other.status_code == 401
        with redis.Redis.from_url(valkey.url(), decode_responses=True) as store:
            keys = list(store.scan_iter())
        assert any("sign-in-account" in key for key in keys)
        assert not any("example" in key for key in keys)

    async def test_is_limited_by_address(
        self,
        make_app: MakeApp,
        running: Running,
        valkey: Valkey,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(limits, "SIGN_IN_PER_ADDRESS", Rule("sign-in-address", 3, 60))
        async with running(make_app(rate_limits=True, redis_url=valkey.url())) as http:
            refresh = {"refresh_token": "x"}
            signup = {"email": "limited@example.com", "password": "12345678"}
            statuses = [
                (await http.post(LOGIN, json=login_body())).status_code,
                (await http.post("/api/v1/auth/refresh", json=refresh)).status_code,
                (await http.post("/api/v1/auth/signup", json=signup)).status_code,
                (await http.post("/api/v1/auth/signup", json=signup)).status_code,
                (await http.post(LOGIN, json=login_body("b@example.com"))).status_code,
            ]
        assert statuses == [401, 401, 201, 429, 429]
        assert SIGN_IN_PER_ADDRESS.amount > 3

    async def test_goes_on_with_a_local_bucket_while_the_store_is_frozen(
        self, make_app: MakeApp, running: Running, valkey: Valkey
    ) -> None:
        async with running(make_app(rate_limits=True, redis_url=valkey.url())) as http:
            await http.post(LOGIN, json=login_body("warm@example.com"))
            valkey.pause()
            statuses, longest = [], 0.0
            for _ in range(SIGN_IN_PER_ACCOUNT.amount + 1):
                began = time.perf_counter()
                answer = await http.post(LOGIN, json=login_body("frozen@example.com"))
                longest = max(longest, time.perf_counter() - began)
                statuses.append(answer.status_code)
            valkey.resume()
        assert statuses == [401] * SIGN_IN_PER_ACCOUNT.amount + [429]
        assert longest < 0.5

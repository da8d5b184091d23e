"""Readiness: it names the part that is away, and never waits for it."""

from __future__ import annotations

import time

import pytest

from local.valkey import Valkey
from tests.api.conftest import MakeApp, Running


class TestHealth:
    async def test_names_the_frozen_broker_and_does_not_hang(
        self, make_app: MakeApp, running: Running, valkey: Valkey
    ) -> None:
        async with running(make_app(redis_url=valkey.url())) as http:
            assert (await http.get("/readyz")).status_code == 200
            valkey.pause()
            began = time.perf_counter()
            answer = await http.get("/readyz")
            assert time.perf_counter() - began < 2
            assert (await http.get("/livez")).status_code == 200
            valkey.resume()
        assert answer.status_code == 503
        body = answer.json()
        assert body["error_code"] == "NOT_READY"
        assert body["parts"] == {"database": "ok", "broker": "unreachable", "migrations": "ok"}
        assert int(answer.headers["retry-after"]) > 0

    async def test_names_a_database_that_is_away(self, make_app: MakeApp, running: Running) -> None:
        away = "postgresql+psycopg://nobody:x@127.0.0.1:1/nothing"
        async with running(make_app(app_database_url=away)) as http:
            answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["parts"]["database"] == "unreachable"
        assert answer.json()["parts"]["broker"] == "ok"

    async def test_names_migrations_that_are_missing(
        self, make_app: MakeApp, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api.routes.health._heads", lambda: {"9999_next"})
        async with running(make_app()) as http:
            answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["parts"]["migrations"] == "behind"

"""What endpoints are given: a transaction that is settled before anybody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import text

from api.deps import AnonymousDb, CurrentUser, Db
from core.errors import NotFound
from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.stack import Stores

INSERT = text("INSERT INTO probe (id) VALUES (:id)")


@pytest.fixture
def probe(stores: Stores) -> Iterator[Stores]:
    """A table whose constraint is only checked by the commit."""
    with stores.sql() as sql:
        sql.execute("CREATE TABLE probe (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        sql.execute("GRANT INSERT ON probe TO wheels_app")
        yield stores
        sql.execute("DROP TABLE probe")


def writing(app: FastAPI) -> FastAPI:
    @app.post("/test/write/{ident}")
    async def write(ident: int, db: Db) -> int:
        await db.execute(INSERT, {"id": ident})
        return ident

    @app.post("/test/twice")
    async def write_twice(db: Db) -> None:
        await db.execute(INSERT, {"id": 1})
        await db.execute(INSERT, {"id": 1})

    @app.post("/test/fail")
    async def fail(db: Db) -> None:
        await db.execute(INSERT, {"id": 1})
        raise NotFound

    @app.get("/test/whoami")
    async def whoami(user: CurrentUser, db: Db, nobody: AnonymousDb) -> list[str | None]:
        ask = text("SELECT current_user_id()::text, current_user")
        own, role = (await db.execute(ask)).one()
        none, _ = (await nobody.execute(ask)).one()
        return [own, none, role]

    return app


class TestTransaction:
    async def test_is_committed_before_the_answer(
        self, probe: Stores, make_app: MakeApp, running: Running, user: User
    ) -> None:
        headers = dict(user.http.headers)
        async with running(writing(make_app())) as http:
            assert (await http.post("/test/write/7", headers=headers)).status_code == 200
            assert probe.one("SELECT count(*) FROM probe WHERE id = 7") == 1
            # a commit that fails cannot be answered with success
            assert (await http.post("/test/twice", headers=headers)).status_code == 500
            assert probe.one("SELECT count(*) FROM probe WHERE id = 1") == 0

    async def test_is_rolled_back_by_an_error(
        self, probe: Stores, make_app: MakeApp, running: Running, user: User
    ) -> None:
        async with running(writing(make_app())) as http:
            answer = await http.post("/test/fail", headers=dict(user.http.headers))
        assert answer.status_code == 404
        assert probe.one("SELECT count(*) FROM probe") == 0

    async def test_acts_for_the_caller(
        self, stores: Stores, make_app: MakeApp, running: Running, user: User
    ) -> None:
        async with running(writing(make_app())) as http:
            answer = await http.get("/test/whoami", headers=dict(user.http.headers))
        assert answer.json() == [user.id, None, "wheels_app"]

    async def test_takes_the_role_on_where_there_is_one_login(
        self, stores: Stores, make_app: MakeApp, running: Running, user: User
    ) -> None:
        app = writing(make_app(app_database_url=None, engine_database_url=None))
        with stores.sql() as sql:
            sql.execute("GRANT wheels_app, wheels_engine TO wheels_owner")
        async with running(app) as http:
            answer = await http.get("/test/whoami", headers=dict(user.http.headers))
        assert answer.json() == [user.id, None, "wheels_app"]

    async def test_is_not_held_by_a_stream(
        self, stores: Stores, make_app: MakeApp, running: Running, user: User
    ) -> None:
        app = make_app(database_pool_size=1)
        held: list[int] = []

        @app.get("/test/stream", response_class=EventSourceResponse)
        async def stream(db: Db) -> AsyncIterator[ServerSentEvent]:
            held.append(app.state.services.databases.app.engine.pool.checkedout())
            yield ServerSentEvent(data={})

        async with running(app) as http:
            answers = await asyncio.gather(
                *(http.get("/test/stream", headers=dict(user.http.headers)) for _ in range(3))
            )
        assert [answer.status_code for answer in answers] == [200] * 3
        assert min(held) == 0

"""Whether this process is up, and whether it can serve; for operators and load balancers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Process, Services
from api.errors import answer
from core.errors import StoreUnavailable

router = APIRouter(tags=["health"])

#: A load balancer asks every few seconds and gives up soon.
PATIENCE_S = 1.0
_ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"

State = Literal["ok", "unreachable", "behind"]


class NotReady(StoreUnavailable):
    """A part that requests need is not ready."""

    code = "NOT_READY"


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Every part by name."""

    status: Literal["ok"] = "ok"
    parts: dict[str, State]


@router.get("/livez")
async def livez() -> Alive:
    """The process is up; nothing else is looked at."""
    return Alive()


@router.get("/readyz", response_model=Ready)
async def readyz(request: Request, process: Process) -> Ready | Response:
    """Database and broker answer, and the tables are those that this code expects."""
    (database, migrations), broker = await asyncio.gather(
        _database_and_migrations(process), _bounded(_ping_broker, process)
    )
    parts: dict[str, State] = {"database": database, "broker": broker, "migrations": migrations}
    if set(parts.values()) == {"ok"}:
        return Ready(parts=parts)
    return answer(request, NotReady(), parts=parts)


async def _database_and_migrations(process: Services) -> tuple[State, State]:
    versions: set[str] = set()

    async def ask(process: Services) -> None:
        async with process.databases.app.transaction() as db:
            found = await db.execute(text("SELECT version_num FROM alembic_version"))
            versions.update(found.scalars())

    database = await _bounded(ask, process)
    if database != "ok":
        return database, "unreachable"
    heads = await asyncio.to_thread(_heads)
    return "ok", "ok" if versions == heads else "behind"


async def _bounded(ask: Callable[[Services], Awaitable[None]], process: Services) -> State:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ask(process)
    except (TimeoutError, OSError, SQLAlchemyError, RedisError):
        return "unreachable"
    return "ok"


async def _ping_broker(process: Services) -> None:
    # a connection of its own: a pooled one may be an old friend of a server that is frozen now
    broker = Redis.from_url(
        process.settings.redis_url,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )
    async with broker:
        await broker.ping()


@cache
def _heads() -> set[str]:
    return set(ScriptDirectory.from_config(Config(str(_ALEMBIC_INI))).get_heads())

"""Connections to Postgres: the two working roles, one transaction hook, and two small drivers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine, Executable, create_engine, event, text
from sqlalchemy.engine import Result
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import NullPool

from core.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Query:
    """A statement and its values, kept apart so that the compiled form is found in the cache."""

    statement: Executable
    values: dict[str, Any]


def bind(statement: Executable, **values: Any) -> Query:
    """`statement` with these values. Cheaper than `bindparams`, which copies the statement."""
    return Query(statement, values)


#: A piece of service logic that talks to the database without knowing how: it yields
#: statements, is sent their results, and returns its decision. `perform` and
#: `perform_async` drive it, so that nothing is written twice for workers and API.
Steps = Generator[Executable | Query, Result[Any], T]


#: The statements that follow in the transaction are planned for their very values. For those
#: that read much of what an owner has: over 100,000 rows this is twice as quick as the general
#: plan, which the hook below asks for on behalf of the short ones.
OWN_PLAN = text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")


class Role(StrEnum):
    """Who acts: neither owns a table, and row-level security holds for both."""

    APP = "wheels_app"  # requests and domain writes, for one owner per transaction
    ENGINE = "wheels_engine"  # moves jobs of all owners; sees the job tables only


@dataclass(frozen=True)
class Limits:
    """How long a transaction may take. Seconds.

    Attributes:
        idle_s: between two statements; less than any lease. A process that is frozen or cut
            off in the middle of one would otherwise hold its job's row against every rescue.
    """

    statement_s: float = 15.0
    lock_s: float = 5.0
    idle_s: float = 5.0


def _url(settings: Settings, role: Role) -> tuple[str, bool]:
    """Address for `role`, and whether each transaction must take the role on itself."""
    own = settings.app_database_url if role is Role.APP else settings.engine_database_url
    return (own, False) if own else (settings.database_url, True)


def _connect_args(settings: Settings) -> dict[str, Any]:
    return {
        "connect_timeout": 5,
        # None switches server-side statements off, for poolers that lose them
        "prepare_threshold": 5 if settings.database_prepare else None,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }


def _install_hook(session_class: type[Session], limits: Limits) -> None:
    """Begin every transaction by saying who acts for whom; SET outside one breaks behind a pooler.

    The driver is in autocommit mode and BEGIN stands here, so that both travel in one round
    trip; the driver still ends the transaction, for it looks at the connection's own state.
    """
    bounds = (
        f"set_config('statement_timeout', '{limits.statement_s * 1000:.0f}', true),"
        f" set_config('lock_timeout', '{limits.lock_s * 1000:.0f}', true),"
        f" set_config('idle_in_transaction_session_timeout', '{limits.idle_s * 1000:.0f}', true),"
        # Our statements reach rows by keys, whatever the values; to plan a submit anew took
        # a third of its time.
        " set_config('plan_cache_mode', 'force_generic_plan', true)"
    )

    @event.listens_for(session_class, "after_begin")
    def set_identity(session: Session, _tx: SessionTransaction, connection: Connection) -> None:
        owner_id: UUID | None = session.info["owner_id"]
        role: Role | None = session.info["assume"]
        # literals, for several statements travel only without parameters: a UUID and our own
        # constants, nothing that anybody typed
        who = "" if owner_id is None else str(UUID(int=owner_id.int))
        assume = "" if role is None else f", set_config('role', '{role.value}', true)"
        if not session.info["durable"]:
            assume += ", set_config('synchronous_commit', 'off', true)"
        snapshot = " ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        mode = snapshot if session.info.get("snapshot") else ""
        connection.exec_driver_sql(
            f"BEGIN{mode}; SELECT set_config('app.user_id', '{who}', true), {bounds}{assume}"
        )


class AppSession(Session):
    """A session whose transactions announce role and owner (see `_install_hook`)."""


_install_hook(AppSession, Limits())


class Database:
    """Blocking connections of one role, for workers and threads."""

    def __init__(self, settings: Settings, role: Role, *, pool_size: int = 4) -> None:
        """
        Args:
            pool_size: connections kept open; 0 opens one per transaction, for a process
                that forks.
        """
        url, assume = _url(settings, role)
        self._assume = role if assume else None
        pool: dict[str, Any] = (
            {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 10, "pool_recycle": 1800}
            if pool_size
            else {"poolclass": NullPool}
        )
        self.engine: Engine = create_engine(
            # an error's text must not carry what people wrote into a log
            url,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",  # see _install_hook
            connect_args=_connect_args(settings),
            **pool,
        )

    @contextmanager
    def transaction(
        self, owner_id: UUID | None = None, *, durable: bool = True, snapshot: bool = False
    ) -> Iterator[Session]:
        """Commit at the end, or roll back on any error.

        Args:
            owner_id: whose rows may be seen and written (role `app`).
            durable: False lets the commit return before it is on disk; only for
                writes that carry no number anybody hears of.
            snapshot: every statement sees the rows of one moment, and none writes.
        """
        session = AppSession(self.engine, expire_on_commit=False)
        session.info.update(
            owner_id=owner_id, assume=self._assume, durable=durable, snapshot=snapshot
        )
        with session, session.begin():
            yield session

    def dispose(self, *, close: bool = True) -> None:
        """Forget all connections; `close=False` after a fork, where they are the parent's."""
        self.engine.dispose(close=close)


class AsyncDatabase:
    """Connections of one role for the event loop of the API."""

    def __init__(self, settings: Settings, role: Role, *, pool_size: int) -> None:
        url, assume = _url(settings, role)
        self._assume = role if assume else None
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_recycle=1800,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",  # see _install_hook
            connect_args=_connect_args(settings),
        )

    def session(self, owner_id: UUID | None = None) -> AsyncSession:
        """A session; the caller begins, commits and closes."""
        session = AsyncSession(self.engine, expire_on_commit=False, sync_session_class=AppSession)
        session.info.update(owner_id=owner_id, assume=self._assume, durable=True)
        return session

    @asynccontextmanager
    async def transaction(self, owner_id: UUID | None = None) -> AsyncIterator[AsyncSession]:
        """Commit at the end, or roll back on any error."""
        async with self.session(owner_id) as session, session.begin():
            yield session

    async def dispose(self) -> None:
        await self.engine.dispose()


def _parts(wanted: Executable | Query) -> tuple[Executable, dict[str, Any] | None]:
    return (wanted.statement, wanted.values) if isinstance(wanted, Query) else (wanted, None)


def perform(session: Session, steps: Steps[T]) -> T:
    """Drive `steps` on a blocking session and return its decision."""
    try:
        statement = next(steps)
        while True:
            try:
                result = session.execute(*_parts(statement))
            except DBAPIError as error:
                statement = steps.throw(error)
            else:
                statement = steps.send(result)
    except StopIteration as done:
        decision: T = done.value
        return decision


async def perform_async(session: AsyncSession, steps: Steps[T]) -> T:
    """Drive `steps` on an async session and return its decision."""
    try:
        statement = next(steps)
        while True:
            try:
                result = await session.execute(*_parts(statement))
            except DBAPIError as error:
                statement = steps.throw(error)
            else:
                statement = steps.send(result)
    except StopIteration as done:
        decision: T = done.value
        return decision


def copy_out(session: Session, wanted: Query, path: Path) -> int:
    """Write what a query finds to a file as CSV, as Postgres makes it; nothing is held in memory.

    Returns:
        How many rows.
    """
    compiled = wanted.statement.compile(dialect=session.get_bind().dialect)  # type: ignore[attr-defined]
    driver: Any = session.connection().connection.driver_connection
    with path.open("wb") as file, driver.cursor() as cursor:
        with cursor.copy(f"COPY ({compiled}) TO STDOUT (FORMAT csv)", wanted.values) as rows:
            for block in rows:
                file.write(block)
        return int(cursor.rowcount)


#: SQLSTATE classes and codes that say "the database is away or full", not "you are wrong".
_AWAY = ("08", "53", "57P", "58", "55P03", "40001", "40P01", "25006", "25P03", "57014")


def store_is_away(error: BaseException) -> bool:
    """Whether `error` means that Postgres cannot serve right now and a repeat may work."""
    if isinstance(error, PoolTimeoutError | OSError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # the connection broke before the server could say why
        return type(error.orig).__name__ in {
            "OperationalError",
            "InterfaceError",
            "ConnectionTimeout",
        }
    return str(state).startswith(_AWAY)

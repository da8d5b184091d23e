"""A hosted Postgres with one login: the roles are taken on per transaction, and still separate."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.database import AsyncDatabase, Database, Role
from core.ids import new_id
from core.settings import Settings
from local.postgres import Postgres
from tests.stack import ROOT

URL = "postgres://neon:secret@{host}/wheels2?sslmode=prefer"


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """A database owned by a login that may make roles, as hosts give it out."""
    folder = Path(tempfile.mkdtemp(prefix="wheels-test-"))
    folder.chmod(0o755)
    postgres = Postgres(folder / "postgres", durable=False)
    postgres.init()
    postgres.start()
    with psycopg.connect(postgres.dsn("postgres", "template1"), autocommit=True) as connection:
        connection.execute("DROP DATABASE wheels")
        connection.execute("DROP ROLE wheels_app, wheels_engine, wheels_owner")
        connection.execute("CREATE ROLE neon LOGIN CREATEROLE PASSWORD 'secret'")
        connection.execute("CREATE DATABASE wheels2 OWNER neon")
    made = Settings(
        database_url=URL.format(host=f"127.0.0.1:{postgres.port}"),
        app_database_url=None,
        engine_database_url=None,
    )
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = made.migration_url
    command.upgrade(config, "head")
    yield made
    postgres.destroy()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_address_may_be_spelled_as_hosts_spell_it(settings: Settings) -> None:
    assert settings.database_url.startswith("postgresql+psycopg://neon:secret@")


def test_each_transaction_takes_its_role_on(settings: Settings) -> None:
    for role in Role:
        database = Database(settings, role)
        with database.transaction() as session:
            assert session.execute(text("SELECT current_user")).scalar_one() == role
        database.dispose()


async def test_also_in_the_event_loop(settings: Settings) -> None:
    database = AsyncDatabase(settings, Role.APP, pool_size=1)
    async with database.transaction() as session:
        assert (await session.execute(text("SELECT current_user"))).scalar_one() == Role.APP
    await database.dispose()


def test_the_engine_sees_no_users(settings: Settings) -> None:
    database = Database(settings, Role.ENGINE)
    with pytest.raises(ProgrammingError, match="permission denied"), database.transaction() as db:
        db.execute(text("SELECT email FROM users"))
    database.dispose()


def test_the_app_sees_only_the_owner_of_the_transaction(settings: Settings) -> None:
    database = Database(settings, Role.APP)
    owner, stranger = new_id(), new_id()
    with database.transaction(owner) as db:
        seen = db.execute(text("SELECT current_user_id()")).scalar_one()
        assert seen == owner
    with database.transaction(stranger) as db:
        assert db.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 0
    with database.transaction() as db:
        assert db.execute(text("SELECT current_user_id()")).scalar_one() is None
    database.dispose()

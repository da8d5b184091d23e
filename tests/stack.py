"""Real stores for tests: one Postgres and one Valkey of their own, migrated, and processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg
from alembic import command
from alembic.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local.ports import free_port
from local.postgres import Postgres
from local.valkey import Valkey
from tests.nursery import Nursery, Started

ROOT = Path(__file__).resolve().parent.parent

#: For processes whose speed matters: the count of their lines for the coverage halves it.
#: What they run is counted where the same code is tested in calm.
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": ""}
#: Whether processes come from the nursery; what measures a start wants a real one.
FORKED = True


@cache
def _nursery() -> Nursery:
    return Nursery(ROOT)


def until(condition: Callable[[], Any], within_s: float = 20.0, every_s: float = 0.02) -> Any:
    """Poll until the condition holds and return its value.

    Raises:
        AssertionError: it did not hold in time.
    """
    give_up_at = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < give_up_at, f"not within {within_s} s: {condition}"
        time.sleep(every_s)


class Stores:
    """Postgres and Valkey from the wheels, and the environment that leads to them."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", durable=durable)
        self.valkey = Valkey(folder / "valkey", durable=durable)
        self.key_file = folder / "jwt.pem"

    def start(self) -> None:
        for server in (self.postgres, self.valkey):
            server.init()
            server.start()
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.key_file.write_bytes(pem)
        config = Config(ROOT / "alembic.ini")
        config.attributes["url"] = self.env()["DATABASE_URL"].replace(
            "postgresql://", "postgresql+psycopg://"
        )
        command.upgrade(config, "head")

    def destroy(self) -> None:
        self.valkey.destroy()
        self.postgres.destroy()

    def env(self) -> dict[str, str]:
        """What every process of the product is told."""
        return {
            "DATABASE_URL": self.postgres.dsn("wheels_owner"),
            "APP_DATABASE_URL": self.postgres.dsn("wheels_app"),
            "ENGINE_DATABASE_URL": self.postgres.dsn("wheels_engine"),
            "REDIS_URL": self.valkey.url(),
            "JWT_PRIVATE_KEY_FILE": str(self.key_file),
            "DATA_DIR": str(self.folder),
            "RATE_LIMITS": "off",
            # endpoints of tests live on loopback; those that must be refused switch this off
            "WEBHOOKS_ALLOW_LOOPBACK": "on",
        }

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection[Any]]:
        """A superuser's connection, past every policy: for the checks of tests only."""
        with psycopg.connect(self.postgres.dsn("postgres"), autocommit=True) as connection:
            yield connection

    def one(self, query: str, *values: Any) -> Any:
        """The first column of the first row."""
        with self.sql() as connection:
            row = connection.execute(query, values).fetchone()
        return None if row is None else row[0]


@contextmanager
def stores(*, durable: bool = False) -> Iterator[Stores]:
    """Stores in a folder of their own, gone at the end.

    Args:
        durable: with fsync, as in production; tests survive no power cut and go without.
    """
    folder = Path(tempfile.mkdtemp(prefix="wheels-test-"))
    folder.chmod(0o755)  # the servers run unprivileged and must get in
    made = Stores(folder, durable=durable)
    try:
        made.start()
        yield made
    finally:
        made.destroy()
        shutil.rmtree(folder, ignore_errors=True)


class Child:
    """A process of the product under test, in a group of its own."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.command = command
        self.env = {**os.environ, **env}
        self.log = folder / f"{name}.log"
        self.start()

    def start(self) -> None:
        self.process: subprocess.Popen[bytes] | Started
        _, flag, what, *args = self.command
        self.log.touch()  # whoever reads it at once finds it
        # with the count of lines it would have to begin before all else
        if FORKED and flag == "-m" and not self.env.get("COVERAGE_PROCESS_CONFIG"):
            self.process = _nursery().start(what, args, self.env, self.log)
            return
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[int]:
        """Living child processes, without zombies."""
        found = psutil.Process(self.pid).children(recursive=True)
        return [p.pid for p in found if p.status() != psutil.STATUS_ZOMBIE]

    def signal_group(self, number: int) -> None:
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """kill -9 the whole group."""
        if self.process.poll() is None:
            self.signal_group(signal.SIGKILL)
        self.process.wait(10)

    def restart(self) -> None:
        self.kill()
        self.start()

    def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM to the parent, as a supervisor does; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(within_s)
        finally:
            self.kill()

    def output(self) -> str:
        return self.log.read_text(errors="replace")


def worker(
    made: Stores,
    lane: str = "compute",
    *,
    app: str = "workers.app",
    slots: int = 2,
    name: str | None = None,
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> Child:
    """A real Celery worker; wait for it with `entered`."""
    pool = "prefork" if lane == "compute" else "threads"
    node = name or f"{lane}-{free_port()}"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        app,
        "worker",
        "-Q",
        lane,
        "-n",
        f"{node}@test",
    ]
    command += ["--pool", pool, "-c", str(slots), "--without-mingle", "--without-gossip"]
    command += options
    # tests admit jobs and send no message: a worker would think itself deaf, and nobody starts
    # it again here
    own = {"STALLED_WORKER_S": "3600", **(env or {})}
    return Child(node, command, {**made.env(), **own}, made.folder)


def entered(made: Stores, child: Child) -> None:
    """Wait until the worker's present incarnation serves."""
    until(
        lambda: made.one(
            "SELECT count(*) FROM workers WHERE name = %s AND ended_at IS NULL"
            " AND started_at > now() - interval '1 minute' AND draining_at IS NULL",
            f"{child.name}@test",
        ),
        30,
    )
    until(lambda: " ready." in child.output() or '"worker_entered"' in child.output(), 30)


def housekeeping(made: Stores, env: Mapping[str, str] | None = None) -> Child:
    command = [sys.executable, "-m", "workers.housekeeping"]
    return Child(f"housekeeping-{free_port()}", command, {**made.env(), **(env or {})}, made.folder)


class ApiChild(Child):
    """The API as a process of its own, on a free port."""

    def __init__(self, made: Stores, env: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "uvicorn", "api.app:app", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--timeout-graceful-shutdown", "5"]
        super().__init__(f"api-{self.port}", command, {**made.env(), **(env or {})}, made.folder)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> None:
        """Wait until it serves."""

        last = "nothing"

        def answers() -> bool:
            nonlocal last
            assert self.process.poll() is None, f"{self.name} has ended:\n{self.output()[-4000:]}"
            try:
                answer = httpx2.get(f"{self.url}/readyz", timeout=2)
            except httpx2.HTTPError as error:
                last = repr(error)
                return False
            last = answer.text
            return answer.status_code == 200

        try:
            until(answers, 30, 0.05)
        except AssertionError as late:
            late.add_note(f"{self.name} last said {last}; its log:\n{self.output()[-4000:]}")
            raise

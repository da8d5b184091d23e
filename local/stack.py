"""The processes of the product on one machine, and the environment they are given."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dotenv import dotenv_values

from local.datadir import DataDir
from local.migrations import up_to_date
from local.ports import HOST
from local.postgres import APP, ENGINE, OWNER, ROLES, Postgres
from local.program import Program
from local.rates import filled
from local.server import Server
from local.supervisor import Plan
from local.valkey import Valkey

ROOT = Path(__file__).parent.parent
CODE = tuple(ROOT / name for name in ("api", "core", "models", "services", "tasks", "workers"))
FLOWER_USER = "admin"


class BadKnob(ValueError):
    """A setting of this start that cannot work."""


@dataclass(frozen=True)
class Knobs:
    """What a person may set, from the environment or `.env`."""

    env: Mapping[str, str]
    data_dir: Path
    api_port: int
    flower_port: int

    @classmethod
    def read(cls) -> Knobs:
        file = {name: value or "" for name, value in dotenv_values(ROOT / ".env").items()}
        env = {**file, **os.environ}
        api, flower = _port(env, "API_PORT", 8000), _port(env, "FLOWER_PORT", 5555)
        if api == flower:
            raise BadKnob(f"API_PORT and FLOWER_PORT are both {api}")
        # an empty DATA_DIR would be the project folder itself
        return cls(env, ROOT / (env.get("DATA_DIR") or ".local"), api, flower)


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise BadKnob(f"{name} must be a port between 1 and 65535, not {text!r}")
    return int(text)


@dataclass(frozen=True)
class Stack:
    """The embedded servers that are needed, and the environment that points to them."""

    knobs: Knobs
    servers: tuple[Server, ...]
    env: Mapping[str, str]

    def plan(self, *, reload: bool = False) -> Plan:
        return Plan(
            servers=[server.program() for server in self.servers],
            steps=[self._release()],
            apps=[
                self._api(reload),
                # planning is CPU work: one process per core, so that one crash takes one job
                self._worker("compute", "prefork", _cores()),
                # waiting for other people's servers costs no core
                self._worker("io", "threads", 16),
                self._python("housekeeping", "-m", "workers.housekeeping"),
                self._flower(),
            ],
        )

    def _release(self) -> Program:
        program = self._python("migrate", "-m", "local.release")
        ours = next((server for server in self.servers if isinstance(server, Postgres)), None)

        def done() -> bool:
            return ours is not None and up_to_date(ours.dsn()) and filled(ours.dsn())

        return replace(program, unneeded=done)

    def _api(self, reload: bool) -> Program:
        flags = ["--host", HOST, "--port", str(self.knobs.api_port)]
        # open streams get a last event and are then cut, before the supervisor loses patience
        flags += ["--timeout-graceful-shutdown", "8"]
        # nobody stands before us here, so a forwarded address would be the client's invention
        flags += ["--no-server-header", "--no-proxy-headers"]
        if reload:
            flags += ["--reload", *(part for path in CODE for part in ("--reload-dir", str(path)))]
        return self._python("api", "-m", "uvicorn", "api.app:app", *flags, ready=True)

    def _worker(self, lane: str, pool: str, size: int) -> Program:
        flags = ["-Q", lane, "-n", f"{lane}@%h", "--pool", pool, "--concurrency", str(size)]
        # greeting the other workers delays the start and tells us nothing Postgres does not know
        flags += ["--without-mingle", "--without-gossip", "--loglevel", "INFO"]
        # planning takes all the CPU it can get, and the door must still answer at once
        nice = 5 if pool == "prefork" else 0
        return self._python(lane, "-m", "celery", "-A", "workers.app", "worker", *flags, nice=nice)

    def _flower(self) -> Program:
        # user and password come by FLOWER_BASIC_AUTH: a command line is public
        flags = [f"--address={HOST}", f"--port={self.knobs.flower_port}", "--read_only"]
        command = ("-m", "celery", "-A", "workers.app", "flower", *flags)
        return replace(self._python("flower", *command, nice=9), later=True)

    def _python(self, name: str, *arguments: str, ready: bool = False, nice: int = 0) -> Program:
        # `-m` finds modules in the working folder; console scripts do not, and their first
        # line breaks when the path of the environment has a space
        return Program(
            name=name,
            command=(*(("nice", "-n", str(nice)) if nice else ()), sys.executable, *arguments),
            cwd=ROOT,
            env=self.env,
            ready=self.answers if ready else None,
        )

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.knobs.api_port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def assemble(knobs: Knobs, data: DataDir) -> Stack:
    """Prepares the servers that no address was given for."""
    servers: list[Server] = []
    env = {
        **knobs.env,
        "DATA_DIR": str(data.path),
        "API_PORT": str(knobs.api_port),
        "FLOWER_PORT": str(knobs.flower_port),
        "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{data.secrets['flower']}",
        "METRICS_TOKEN": knobs.env.get("METRICS_TOKEN") or data.secrets["metrics"],
        "PYTHONUNBUFFERED": "1",
    }
    if not env.get("JWT_PRIVATE_KEY") and not env.get("JWT_PRIVATE_KEY_FILE"):
        env["JWT_PRIVATE_KEY_FILE"] = str(data.signing_key())
    if not env.get("DATABASE_URL"):
        postgres = Postgres(data.path / "postgres", data.port("postgres"))
        postgres.init({role: data.secrets[role] for role in ROLES})
        servers.append(postgres)
        env["DATABASE_URL"] = postgres.dsn(OWNER)
        env["APP_DATABASE_URL"] = postgres.dsn(APP)
        env["ENGINE_DATABASE_URL"] = postgres.dsn(ENGINE)
    if not env.get("REDIS_URL"):
        valkey = Valkey(data.path / "valkey", data.port("valkey"))
        valkey.init(data.secrets["valkey"])
        servers.append(valkey)
        env["REDIS_URL"] = valkey.url()
    return Stack(knobs, tuple(servers), env)

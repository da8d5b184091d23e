"""What the benchmarks stand on: durable stores, the API, the peer, users."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from local.ports import free_port
from tests import stack
from tests.stack import ApiChild, Child, Stores, until

TRIP: dict[str, Any] = {
    "start": {"name": "Here", "lat": -33.87, "lon": 151.21},
    "end": "start",
    "stops": [
        {"id": "a", "name": "A", "lat": -34.42, "lon": 150.89},
        {"id": "b", "name": "B", "lat": -35.28, "lon": 149.13},
        {"id": "c", "name": "C", "lat": -32.93, "lon": 151.78},
    ],
    "depart_at": "2027-03-01T08:00:00+11:00",
    "budget_s": 0.1,
}


@dataclass
class Rig:
    """Stores with fsync, and the API on a port."""

    stores: Stores
    api: ApiChild
    closing: ExitStack

    def token(self) -> str:
        """A new user's access token."""
        body = {"email": f"{uuid4()}@example.com", "password": "a long password"}
        answer = urllib.request.urlopen(
            urllib.request.Request(
                f"{self.api.url}/api/v1/auth/signup",
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
        )
        return str(json.load(answer)["data"]["access_token"])

    def pretend_workers(self) -> None:
        """Room without end in the lane, so that every job is published, as the peer's are."""
        with self.stores.sql() as connection:
            connection.execute(
                "INSERT INTO workers (id, name, lane, slots, beat_at) VALUES (gen_random_uuid(),"
                " 'bench', 'compute', 1000000, now() + interval '1 day')"
            )

    def clear(self) -> None:
        """No jobs, no workers, no messages."""
        import redis

        with self.stores.sql() as connection:
            connection.execute("DELETE FROM workers")
            connection.execute("TRUNCATE jobs CASCADE")
        redis.Redis.from_url(self.stores.valkey.url()).flushall()

    def worker(self, slots: int = 2, app: str = "workers.app", name: str | None = None) -> Child:
        child = stack.worker(self.stores, slots=slots, app=app, name=name)
        self.closing.callback(child.kill)
        stack.entered(self.stores, child)
        return child

    def housekeeping(self) -> Child:
        child = stack.housekeeping(self.stores)
        self.closing.callback(child.kill)
        return child

    def plain_env(self) -> dict[str, str]:
        return {
            "PLAIN_DATABASE": self.stores.postgres.dsn("postgres").replace(
                "postgresql://", "postgresql+psycopg://"
            ),
            "PLAIN_BROKER": self.stores.valkey.url(database=1),
        }

    def plain(self) -> int:
        """Start the peer; its port."""
        port = free_port()
        make = "import bench.plain as p; p.make_tables()"
        made = Child(
            "plain-tables", [sys.executable, "-c", make], self.plain_env(), self.api.log.parent
        )
        assert made.process.wait(60) == 0, made.output()
        command = [sys.executable, "-m", "uvicorn", "bench.plain:app", "--port", str(port)]
        command += ["--log-level", "warning"]
        child = Child("plain", command, self.plain_env(), self.api.log.parent)
        self.closing.callback(child.kill)

        def answers() -> bool:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=1)
            except OSError:
                return False
            return True

        until(answers, 30)
        return port

    def plain_worker(self) -> Child:
        command = [sys.executable, "-m", "celery", "-A", "bench.plain:celery_app", "worker"]
        command += ["-c", "2", "-n", f"plain-{free_port()}@test", "--without-mingle"]
        command += ["--without-gossip", "--loglevel", "INFO"]
        child = Child("plain-worker", command, self.plain_env(), self.api.log.parent)
        self.closing.callback(child.kill)
        until(lambda: " ready." in child.output(), 30)
        return child


@contextmanager
def rig() -> Iterator[Rig]:
    """Everything up; gone at the end."""
    with ExitStack() as closing:
        made = closing.enter_context(stack.stores(durable=True))
        api = ApiChild(made, {"LOG_LEVEL": "WARNING"})
        closing.callback(api.kill)
        api.ready()
        yield Rig(made, api, closing)

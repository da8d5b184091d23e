"""Stores of their own for tests that kill things, with leases short enough to wait for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from core.kind import Kind, Lane
from core.settings import get_settings
from services.publisher import CeleryBroker, publish_admitted
from tests import stack
from tests.faults.client import Client
from tests.faults.kinds import NAP
from tests.faults.oracle import Oracle
from tests.lab import Lab
from tests.stack import ApiChild, Child, Stores

#: L of the fault table: long enough for a busy machine, short enough for a test. Seconds.
LEASE_S = 6.0
FAST = {"LEASE_S": str(LEASE_S), "RETRY_BASE_S": "0.2", **stack.UNMEASURED}
APP = "tests.faults.app"


@dataclass
class Floor:
    """The shop floor: stores, processes that a test starts, and the jobs that it was promised."""

    stores: Stores
    lab: Lab
    owner: UUID
    children: list[Child] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    accepted: list[UUID] = field(default_factory=list)

    def worker(
        self,
        lane: str = "compute",
        slots: int = 2,
        name: str | None = None,
        *,
        app: str = APP,
        options: Sequence[str] = (),
        **env: str,
    ) -> Child:
        child = stack.worker(
            self.stores, lane, app=app, slots=slots, name=name, env=FAST | env, options=options
        )
        self.children.append(child)
        stack.entered(self.stores, child)
        return child

    def housekeeping(self) -> Child:
        child = stack.housekeeping(self.stores, FAST)
        self.children.append(child)
        return child

    def api(self, **env: str) -> ApiChild:
        child = ApiChild(self.stores, {**FAST, **env})
        self.children.append(child)
        child.ready()
        return child

    def client(self, url: str) -> Client:
        """A signed-up user of the API at this address."""
        made = Client(url)
        self.clients.append(made)
        return made

    def publish(self) -> None:
        """Send what may be admitted, once, as the API does after a commit; repairs nothing."""
        broker = CeleryBroker(self.stores.valkey.url())
        publish_admitted(self.lab.engine, broker, Lane.COMPUTE)
        broker.close()

    def submit(
        self,
        count: int = 1,
        kind: Kind[Any, Any] = NAP,
        *,
        owner: UUID | None = None,
        **request: Any,
    ) -> list[UUID]:
        """Accept jobs without an API; housekeeping publishes them."""
        owner = owner or self.owner
        made = [self.lab.submit(owner, kind, **request).job_id for _ in range(count)]
        self.accepted += made
        return made

    def running(self, job_ids: list[UUID]) -> bool:
        query = "SELECT count(*) FROM jobs WHERE id = ANY(%s) AND status = 'running'"
        return bool(self.stores.one(query, job_ids) == len(job_ids))

    def ended(self, job_ids: list[UUID] | None = None, within_s: float = 60) -> None:
        """Wait until the jobs, or all that were accepted, have ended."""
        ids = self.accepted if job_ids is None else job_ids
        query = "SELECT count(*) FROM jobs WHERE id = ANY(%s) AND finished_at IS NOT NULL"
        stack.until(lambda: self.stores.one(query, ids) == len(ids), within_s, 0.1)

    def check(self) -> None:
        """The promises, by an oracle that shares no code with the product."""
        report = Oracle(self.stores.postgres.dsn("postgres")).check(self.accepted)
        assert report.violations == [], report


@pytest.fixture(scope="module")
def fault_stores() -> Iterator[Stores]:
    with stack.stores() as made:
        yield made


@pytest.fixture
def floor(fault_stores: Stores) -> Iterator[Floor]:
    before = dict(os.environ)
    os.environ.update({**fault_stores.env(), **FAST})
    get_settings.cache_clear()
    lab = Lab(fault_stores)
    with fault_stores.sql() as connection:
        connection.execute("DELETE FROM jobs; DELETE FROM workers; DELETE FROM effects")
    made = Floor(fault_stores, lab, lab.make_user())
    yield made
    for client in made.clients:
        client.http.close()
    for child in made.children:
        child.kill()
    lab.close()
    os.environ.clear()
    os.environ.update(before)
    get_settings.cache_clear()

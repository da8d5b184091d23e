"""The network goes silent between a process and a store: scenarios 10 and 11."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest

from tests.fakes.proxy import Proxy
from tests.faults.conftest import LEASE_S, Floor
from tests.stack import until


@pytest.fixture
def to_broker(floor: Floor) -> Iterator[Proxy]:
    proxy = Proxy(floor.stores.valkey.url())
    yield proxy
    proxy.close()


@pytest.fixture
def to_postgres(floor: Floor) -> Iterator[tuple[Proxy, Proxy]]:
    """One for each role that a worker takes."""
    env = floor.stores.env()
    proxies = Proxy(env["APP_DATABASE_URL"]), Proxy(env["ENGINE_DATABASE_URL"])
    yield proxies
    for proxy in proxies:
        proxy.close()


class TestTheApiLosesTheBroker:
    def test_submits_do_not_notice_and_the_work_is_done(
        self, floor: Floor, to_broker: Proxy
    ) -> None:
        """10: half-open; housekeeping and workers still reach it."""
        floor.housekeeping()
        floor.worker()
        client = floor.client(floor.api(REDIS_URL=to_broker.url).url)
        client.timed_submits(10)
        usual = statistics.median(client.timed_submits(30))
        to_broker.silence()
        parted = statistics.median(client.timed_submits(60))
        # the lifeline sends what the API cannot
        floor.ended(client.accepted)
        to_broker.heal()
        # two shared cores: the median is steady, single answers are not
        assert parted < max(usual * 1.5, usual + 0.01), (usual, parted)
        began = time.monotonic()
        job_id = client.submit()
        floor.ended([job_id])
        assert time.monotonic() - began < 10


class TestAWorkerLosesPostgres:
    def test_its_job_is_done_elsewhere_and_its_own_result_refused(
        self, floor: Floor, to_postgres: tuple[Proxy, Proxy]
    ) -> None:
        """11: silent for longer than the lease, while the body goes on."""
        floor.housekeeping()
        app, engine = to_postgres
        parted = floor.worker(slots=1, APP_DATABASE_URL=app.url, ENGINE_DATABASE_URL=engine.url)
        (job_id,) = floor.submit(seconds=2)
        until(lambda: floor.running([job_id]))
        for proxy in to_postgres:
            proxy.silence()
        floor.worker(slots=1)
        floor.ended(within_s=LEASE_S + 20)
        query = "SELECT count(*) FROM job_attempts WHERE job_id = %s AND outcome = 'lost'"
        assert floor.stores.one(query, job_id) == 1
        for proxy in to_postgres:
            proxy.heal()
        until(lambda: '"lost"' in parted.output(), 30)
        floor.check()
        assert floor.stores.one("SELECT attempt FROM jobs WHERE id = %s", job_id) == 2

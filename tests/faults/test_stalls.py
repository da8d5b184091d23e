"""Workers that live and do not consume: noticed by themselves; and those that only look so."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from celery import Celery

from tests.fakes.proxy import Proxy
from tests.faults.conftest import Floor
from tests.stack import Child, until

STALLED_S = "1"


def restarted(floor: Floor) -> int:
    query = "SELECT sum(value) FROM counters WHERE name = 'workers_stalled'"
    return int(floor.stores.one(query) or 0)


def ended(child: Child) -> bool:
    return child.process.poll() is not None


@pytest.fixture
def to_broker(floor: Floor) -> Iterator[Proxy]:
    proxy = Proxy(floor.stores.valkey.url())
    yield proxy
    proxy.close()


class TestAWorkerThatDoesNotConsume:
    def test_because_its_consumer_was_cancelled_ends_and_its_successor_does_the_work(
        self, floor: Floor
    ) -> None:
        floor.housekeeping()
        worker = floor.worker(name="catatonic", STALLED_WORKER_S=STALLED_S)
        before = restarted(floor)
        with Celery(broker=floor.stores.valkey.url()) as sender:
            sender.conf.broker_transport_options = {"global_keyprefix": "wheels:"}
            cancel = sender.control.cancel_consumer
            # it hears of orders a moment after it says that it is ready
            until(lambda: cancel("compute", reply=True, timeout=1, limit=1))
        jobs = floor.submit(2, seconds=0.1)
        until(lambda: ended(worker), 40)
        assert worker.process.wait(1) == 0, worker.output()[-2000:]
        assert '"worker_stalled"' in worker.output()
        assert restarted(floor) == before + 1
        worker.start()
        floor.ended(jobs, 30)
        floor.check()

    def test_because_the_network_swallows_all_ends_as_well(
        self, floor: Floor, to_broker: Proxy
    ) -> None:
        """Half-open: whether the transport's timeouts or the foreman see it first, the work is
        done once the worker has ended or come back."""
        floor.housekeeping()
        worker = floor.worker(name="parted", REDIS_URL=to_broker.url, STALLED_WORKER_S=STALLED_S)
        until(lambda: " ready." in worker.output())
        to_broker.silence()
        jobs = floor.submit(2, seconds=0.1)
        until(lambda: ended(worker) or '"worker_stalled"' in worker.output(), 40)
        to_broker.heal()
        until(lambda: ended(worker), 20)
        worker.start()
        floor.ended(jobs, 30)
        floor.check()


class TestAWorkerThatIs:
    def test_calm_is_left_alone(self, floor: Floor) -> None:
        floor.housekeeping()
        worker = floor.worker(STALLED_WORKER_S="0.5")
        before = restarted(floor)
        seen = time.monotonic()
        floor.ended(floor.submit(1, seconds=0.1))
        until(lambda: time.monotonic() - seen > 3)
        assert not ended(worker)
        assert restarted(floor) == before

    def test_busy_with_a_long_queue_is_left_alone(self, floor: Floor) -> None:
        """Every message waits longer than a stall would take, and is sent again meanwhile."""
        floor.housekeeping()
        worker = floor.worker(slots=1, STALLED_WORKER_S="0.5")
        before = restarted(floor)
        jobs = floor.submit(4, seconds=1.2)
        until(lambda: floor.stores.one("SELECT count(*) FROM jobs WHERE admitted_at IS NOT NULL"))
        with floor.stores.sql() as connection:
            connection.execute("UPDATE jobs SET admissions = 5 WHERE admitted_at IS NOT NULL")
        floor.ended(jobs, 30)
        assert not ended(worker)
        assert restarted(floor) == before
        floor.check()

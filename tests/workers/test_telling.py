"""What Flower sees of a worker that tells its events late."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
from celery import Celery

from core.kind import Kind
from services.publisher import CeleryBroker, publish_admitted
from tests import stack
from tests.faults.kinds import DOZE, NAP, Nap, Rest
from tests.lab import Lab
from tests.stack import Stores
from workers.telling import GATHER_S


@pytest.fixture(scope="module")
def told_stores() -> Iterator[Stores]:
    with stack.stores() as made:
        yield made


@pytest.mark.parametrize("kind", [NAP, DOZE], ids=["processes", "threads"])
def test_every_task_is_told_and_many_at_once(
    kind: Kind[Nap, Rest], told_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is kept back for good, and what was gathered lies no longer than it may."""
    for name, value in told_stores.env().items():
        monkeypatch.setenv(name, value)
    lab = Lab(told_stores)
    child = stack.worker(told_stores, kind.lane.value, app="tests.faults.app", env=stack.UNMEASURED)
    watcher = Celery(broker=told_stores.valkey.url())
    watcher.conf.broker_transport_options = {"global_keyprefix": "wheels:"}
    seen: Counter[str] = Counter()
    late: list[float] = []

    def note(event: dict[str, float | str]) -> None:
        seen[str(event["type"])] += 1
        late.append(time.time() - float(event["timestamp"]))

    kinds = ("task-received", "task-started", "task-succeeded")
    try:
        stack.entered(told_stores, child)
        with watcher.connection_for_read() as connection:
            receiver = watcher.events.Receiver(connection, handlers=dict.fromkeys(kinds, note))
            with receiver.consumer_context() as (listening, _channel, _consumers):
                owner = lab.make_user()
                for _ in range(3):
                    lab.submit(owner, kind, seconds=0)
                broker = CeleryBroker(told_stores.valkey.url())
                publish_admitted(lab.engine, broker, kind.lane)
                broker.close()

                def all_told() -> bool:
                    with suppress(TimeoutError):
                        listening.drain_events(timeout=0.2)
                    return sum(seen.values()) == 9

                stack.until(all_told, 20)
        assert seen == dict.fromkeys(kinds, 3)
        assert max(late) > GATHER_S / 2
    finally:
        child.kill()
        lab.close()

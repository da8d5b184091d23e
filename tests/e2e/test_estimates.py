"""What the door says of a start, beside when a real worker really begins."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from core.kind import Lane
from services.jobs import pace
from services.publisher import CeleryBroker, publish_admitted
from tests import stack
from tests.lab import Lab
from tests.stack import Stores, until


@pytest.fixture(scope="module")
def own_stores() -> Iterator[Stores]:
    with stack.stores() as made:
        yield made


def test_jobs_start_before_the_stated_time(
    own_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in own_stores.env().items():
        monkeypatch.setenv(name, value)
    lab = Lab(own_stores)
    with own_stores.sql() as connection:
        connection.execute("DELETE FROM workers")
    child = stack.worker(own_stores, app="tests.faults.app", slots=2, env=stack.UNMEASURED)
    try:
        stack.entered(own_stores, child)
        owner, dice = lab.make_user(), random.Random(4)
        broker = CeleryBroker(own_stores.valkey.url())

        def batch(count: int) -> None:
            known = lab.as_engine(pace.pace(["nap"]))
            for _ in range(count):
                lab.submit(owner, pace=known, seconds=dice.choice([0.05, 0.1, 0.6]))
            publish_admitted(lab.engine, broker, Lane.COMPUTE)
            until(lambda: own_stores.one("SELECT count(*) = 0 FROM jobs WHERE finished_at IS NULL"))

        batch(30)  # the history
        batch(24)
        broker.close()
        with own_stores.sql() as connection:
            rows = connection.execute(
                "SELECT extract(epoch FROM j.started_at - j.created_at)::float8 AS waited,"
                " (e.data->'starts_in_s'->>'p50')::int, (e.data->'starts_in_s'->>'p90')::int"
                " FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.seq = 1"
                " WHERE j.owner_id = %s ORDER BY j.id OFFSET 30",
                (owner,),
            ).fetchall()
        assert len(rows) == 24
        assert sum(waited <= p90 for waited, _, p90 in rows) >= 0.85 * 24
        # and it is of use: the last waits seconds, and hears neither none nor minutes
        waited, p50, p90 = rows[-1]
        assert waited / 3 <= p50 <= p90 <= 4 * waited + 1
    finally:
        child.kill()
        lab.close()

"""The publisher's thread between Postgres and a real broker, well and away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import pytest
import redis
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from core.ids import new_id
from core.kind import Lane
from local.ports import free_port
from services.jobs.admission import Message
from services.publisher import BROKER_TIMEOUT_S, CeleryBroker, Publisher
from tests.lab import Lab
from tests.stack import Stores, until

#: Where Celery keeps the lane's messages: the prefix of celeryconfig.py and the queue's name.
QUEUE = "wheels:compute"


@pytest.fixture(autouse=True)
def empty(queue: Stores) -> None:
    redis.Redis.from_url(queue.valkey.url()).delete(QUEUE)


@contextmanager
def publishing(lab: Lab, url: str | None = None) -> Iterator[Publisher]:
    broker_url = url or lab.stores.valkey.url()
    publisher = Publisher(lab.engine, lambda: CeleryBroker(broker_url))
    try:
        yield publisher
    finally:
        publisher.close()


def queued(lab: Lab) -> int:
    length = redis.Redis.from_url(lab.stores.valkey.url()).llen(QUEUE)
    assert isinstance(length, int)
    return length


def waits(lab: Lab, job_id: UUID) -> bool:
    return bool(lab.stores.one("SELECT admitted_at IS NULL FROM jobs WHERE id = %s", job_id))


class TestABrokerThatIsWell:
    def test_gets_a_job_that_was_admitted_at_its_submit(self, lab: Lab) -> None:
        with publishing(lab) as publisher:
            submitted = lab.submit(lab.make_user(), admit=publisher.able)
            assert submitted.message is not None
            publisher.admitted(submitted.message)
            until(lambda: queued(lab) == 1, 5)

    def test_gets_a_job_that_waits_where_the_lane_has_room(self, lab: Lab) -> None:
        with publishing(lab) as publisher:
            job_id = lab.submit(lab.make_user()).job_id
            publisher.job_waits(Lane.COMPUTE)
            until(lambda: queued(lab) == 1, 5)
            assert not waits(lab, job_id)

    def test_gets_a_job_of_a_full_lane_once_there_is_room(self, lab: Lab) -> None:
        """Nobody says so: as when the room was made by a process that died."""
        owner = lab.make_user()
        with publishing(lab) as publisher:
            jobs = [lab.submit(owner).job_id for _ in range(5)]  # the lab has room for four
            publisher.job_waits(Lane.COMPUTE)
            until(lambda: queued(lab) == 4, 5)
            publisher.job_waits(Lane.COMPUTE)
            until(lambda: publisher._full_until, 5)
            publisher.job_waits(Lane.COMPUTE)
            assert lab.claim(jobs[0]) is not None
            until(lambda: queued(lab) == 5, 5)

    def test_gets_it_at_once_from_who_makes_room(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.publisher.FULL_S", 600.0)
        owner = lab.make_user()
        with publishing(lab) as publisher:
            jobs = [lab.submit(owner).job_id for _ in range(5)]
            publisher.job_waits(Lane.COMPUTE)
            until(lambda: queued(lab) == 4, 5)
            publisher.job_waits(Lane.COMPUTE)
            until(lambda: publisher._full_until, 5)
            assert lab.claim(jobs[0]) is not None
            publisher.room_made(Lane.COMPUTE)
            until(lambda: queued(lab) == 5, 5)


class TestABrokerThatIsAway:
    def test_costs_no_admission(self, lab: Lab) -> None:
        """What could not be sent is housekeeping's to admit, without waiting for its patience."""
        owner, nowhere = lab.make_user(), f"redis://127.0.0.1:{free_port()}/0"
        with publishing(lab, nowhere) as publisher:
            assert publisher.able
            for _ in range(2):  # the first finds out, the second meets the pause
                submitted = lab.submit(owner, admit=True)
                assert submitted.message is not None
                publisher.admitted(submitted.message)
                until(partial(waits, lab, submitted.job_id), 5)
                with lab.stores.sql() as connection:
                    connection.execute("DELETE FROM jobs")
            assert not publisher.able

    def test_is_asked_again_after_a_pause(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("services.publisher.PAUSE_S", 0.05)
        urls = iter([f"redis://127.0.0.1:{free_port()}/0"])
        well = lab.stores.valkey.url()
        publisher = Publisher(lab.engine, lambda: CeleryBroker(next(urls, well)))
        lab.submit(lab.make_user())

        def sent() -> bool:
            publisher.room_made(Lane.COMPUTE)
            return queued(lab) == 1

        until(sent, 10, 0.05)
        publisher.close()

    def test_holds_nobody_up_past_its_timeout(self, queue: Stores) -> None:
        """Frozen: connections are taken and nothing answers. Housekeeping waits for this too."""
        message = Message(new_id(), "nap", Lane.COMPUTE, 0, None)
        known = CeleryBroker(queue.valkey.url())
        known.send([message])
        queue.valkey.pause()
        try:
            for broker in (known, CeleryBroker(queue.valkey.url())):
                began = time.monotonic()
                with pytest.raises((KombuError, RedisError, OSError)):
                    broker.send([message])
                broker.close()
                assert time.monotonic() - began < 3 * BROKER_TIMEOUT_S
        finally:
            queue.valkey.resume()

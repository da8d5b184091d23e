"""After the commit: a bounded thread feeds the broker, so that nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import redis
from kombu.exceptions import OperationalError as BrokerError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core.broker import HINTS, MESSAGE_VERSION, celery_app
from core.database import Database, perform
from core.kind import Lane
from core.log import log
from services.jobs.admission import Message, admit, unadmit

#: Hints kept while the thread is busy; more are dropped, for the hub sweeps Postgres anyway.
HINTS_KEPT = 10_000
#: After a failure the broker is left alone so long, twice as long after the next, up to the
#: cap: making a client costs the process more than it gains. Seconds.
PAUSE_S = 1.0
PAUSE_CAP_S = 8.0
#: Longest wait for one answer of the broker. Seconds.
BROKER_TIMEOUT_S = 0.5


class Broker(Protocol):
    """What the publisher needs of a broker. Every call may raise; none blocks past a second."""

    def send(self, messages: Iterable[Message]) -> None: ...

    def hint(self, job_ids: Iterable[str]) -> None: ...

    def close(self) -> None: ...


class CeleryBroker:
    """Messages through Celery, hints through a client with short timeouts."""

    def __init__(self, redis_url: str) -> None:
        self._hints = redis.Redis.from_url(
            redis_url,
            socket_timeout=BROKER_TIMEOUT_S,
            socket_connect_timeout=BROKER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        options = dict(celery_app.conf.broker_transport_options or {})
        # tighter than a worker's: whatever fails here is sent again by housekeeping
        options |= {
            "socket_timeout": BROKER_TIMEOUT_S,
            "socket_connect_timeout": BROKER_TIMEOUT_S,
        }
        self._connection = celery_app.connection_for_write(redis_url, transport_options=options)
        self._producer = celery_app.amqp.Producer(self._connection, auto_declare=False)

    def send(self, messages: Iterable[Message]) -> None:
        # one round trip for all of them, where the transport can
        with self._producer.batch():  # type: ignore[attr-defined]  # new in kombu 5.7
            for message in messages:
                self._send_one(message)

    def _send_one(self, message: Message) -> None:
        celery_app.send_task(
            message.kind,
            kwargs={
                "job_id": str(message.job_id),
                "attempt": message.attempt,
                "trace": message.trace,
                "v": MESSAGE_VERSION,
            },
            # the same message sent twice looks the same to an operator
            task_id=f"{message.job_id}:{message.attempt}",
            queue=message.lane,
            producer=self._producer,
            retry=False,
        )

    def hint(self, job_ids: Iterable[str]) -> None:
        self._hints.publish(HINTS, " ".join(job_ids))

    def close(self) -> None:
        with suppress(Exception):
            self._connection.release()
        self._hints.close()


class Publisher:
    """Tells the broker what the database already knows. Losing all of it loses nothing."""

    def __init__(self, database: Database, connect: Callable[[], Broker]) -> None:
        """
        Args:
            database: connections of role `engine`.
            connect: makes a broker client; called in the thread, again after each failure.
        """
        self._database = database
        self._connect = connect
        self._broker: Broker | None = None
        self._lanes: set[Lane] = set()
        self._hints: dict[str, None] = {}
        self._wanted = threading.Condition()
        self._closing = False
        self._paused_until = 0.0
        self._pause_s = PAUSE_S
        self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
        self._thread.start()

    def lane_changed(self, lane: Lane) -> None:
        """The lane has a new job, or room for one. Never blocks."""
        with self._wanted:
            self._lanes.add(lane)
            self._wanted.notify()

    def jobs_changed(self, job_ids: Iterable[UUID | str]) -> None:
        """The logs of these jobs grew. Never blocks; overflow is dropped."""
        with self._wanted:
            for job_id in job_ids:
                if len(self._hints) < HINTS_KEPT:
                    self._hints[str(job_id)] = None
            self._wanted.notify()

    def close(self, timeout_s: float = 2.0) -> None:
        """Send what is pending, within the timeout, and end the thread."""
        with self._wanted:
            self._closing = True
            self._wanted.notify()
        self._thread.join(timeout_s)

    def _serve(self) -> None:
        while True:
            with self._wanted:
                self._wanted.wait_for(lambda: self._lanes or self._hints or self._closing)
                lanes, self._lanes = self._lanes, set()
                hints, self._hints = self._hints, {}
                if self._closing and not lanes and not hints:
                    break
            if time.monotonic() < self._paused_until:
                continue  # dropped: the hub sweeps, and housekeeping admits once a second
            self._attempt(lanes, hints)
        if self._broker is not None:
            self._broker.close()

    def _attempt(self, lanes: set[Lane], hints: dict[str, None]) -> None:
        try:
            broker = self._broker = self._broker or self._connect()
            if hints:
                broker.hint(hints)
            for lane in lanes:
                publish_admitted(self._database, broker, lane)
            self._pause_s = PAUSE_S
        except Exception as error:
            self._paused_until = time.monotonic() + self._pause_s
            self._pause_s = min(PAUSE_CAP_S, self._pause_s * 2)
            broken, self._broker = self._broker, None
            if broken is not None:
                broken.close()
            expected = isinstance(error, BrokerError | RedisError | OSError)
            log.warning("publish_failed", error=repr(error), exc_info=not expected)


def publish_admitted(database: Database, broker: Broker, lane: Lane) -> int:
    """Admit what the lane has room for, and send it.

    Returns:
        How many messages were sent.

    Raises:
        Exception: the broker's; the admissions are taken back first where Postgres answers.
    """
    # no number that anybody hears of: losing this commit only sends a message twice
    with database.transaction(durable=False) as session:
        messages = perform(session, admit(lane))
    if not messages:
        return 0
    try:
        broker.send(messages)
    except Exception:
        # some may have gone out; a message sent twice finds nothing to claim
        with suppress(Exception), database.transaction(durable=False) as session:
            perform(session, unadmit([message.job_id for message in messages]))
        raise
    return len(messages)

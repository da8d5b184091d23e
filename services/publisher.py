"""After the commit: a bounded thread feeds the broker, so that nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

import redis
from kombu.exceptions import KombuError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core.broker import HINTS, MESSAGE_VERSION, Grown, celery_app, write_hints
from core.database import Database, perform
from core.kind import Lane
from core.log import log
from services.jobs.admission import NO_CAPS, Caps, Message, admit, unadmit
from services.webhooks.dispatch import admit_deliveries, unsend

#: Hints kept while the thread is busy; more are dropped, for the hub sweeps Postgres anyway.
HINTS_KEPT = 10_000
#: Messages kept likewise; more are dropped, and sent by housekeeping.
MESSAGES_KEPT = 1000
#: A lane that was found full is looked at so much later again: who makes room looks at once,
#: and a storm of submits to a full lane costs ten looks a second. Seconds.
FULL_S = 0.1
#: After a failure the broker is left alone so long, twice as long after the next, up to the
#: cap: making a client costs the process more than it gains. Seconds.
PAUSE_S = 1.0
PAUSE_CAP_S = 8.0
#: Longest wait for one answer of the broker. Seconds.
BROKER_TIMEOUT_S = 0.5


class Broker(Protocol):
    """What the publisher needs of a broker. Every call may raise; none blocks past a second."""

    def send(self, messages: Iterable[Message]) -> None: ...

    def hint(self, grown: Iterable[Grown]) -> None: ...

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
            # kombu would try again for four seconds, and its caller with it
            "max_retries": 0,
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

    def hint(self, grown: Iterable[Grown]) -> None:
        self._hints.publish(HINTS, write_hints(grown))

    def close(self) -> None:
        with suppress(Exception):
            self._connection.release()
        self._hints.close()


class Publisher:
    """Tells the broker what the database already knows. Losing all of it loses nothing."""

    def __init__(
        self, database: Database, connect: Callable[[], Broker], caps: Caps = NO_CAPS
    ) -> None:
        """
        Args:
            database: connections of role `engine`.
            connect: makes a broker client; called in the thread, again after each failure.
            caps: see `Caps`.
        """
        self._database = database
        self._connect = connect
        self._caps = caps
        self._broker: Broker | None = None
        self._lanes: set[Lane] = set()
        self._waiting: set[Lane] = set()
        self._deliveries = False
        self._full_until: dict[Lane, float] = {}
        self._messages: list[Message] = []
        self._hints: dict[Grown, None] = {}
        self._wanted = threading.Condition()
        self._closing = False
        self._paused_until = 0.0
        self._pause_s = PAUSE_S
        self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
        self._thread.start()

    @property
    def able(self) -> bool:
        """Whether a message would go out at once, as far as this process knows."""
        return time.monotonic() >= self._paused_until and len(self._messages) < MESSAGES_KEPT

    @property
    def pending(self) -> int:
        """Messages and hints that wait to be sent."""
        return len(self._messages) + len(self._hints)

    def admitted(self, message: Message) -> None:
        """Send the message of a job that was admitted in the commit just made. Never blocks."""
        with self._wanted:
            if len(self._messages) < MESSAGES_KEPT:
                self._messages.append(message)
            self._wanted.notify()

    def job_waits(self, lane: Lane) -> None:
        """The lane has a job more that is not admitted. Never blocks."""
        with self._wanted:
            self._waiting.add(lane)
            self._wanted.notify()

    def room_made(self, lane: Lane) -> None:
        """The lane may have room for a job more. Never blocks."""
        with self._wanted:
            self._lanes.add(lane)
            self._wanted.notify()

    def deliveries_wait(self) -> None:
        """Messages to webhooks may be due. Never blocks."""
        with self._wanted:
            self._deliveries = True
            self._wanted.notify()

    def jobs_changed(self, grown: Iterable[Grown]) -> None:
        """The logs of these jobs grew. Never blocks; overflow is dropped."""
        with self._wanted:
            for one in grown:
                if len(self._hints) < HINTS_KEPT:
                    self._hints[one] = None
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
                while not (closing := self._closing) and not self._anything():
                    self._wanted.wait(self._idle_s())
                # who made room looks in bulk, who waits for room looks for any
                lanes = dict.fromkeys(self._lanes, True) | dict.fromkeys(self._due(), False)
                self._lanes.clear()
                self._waiting -= lanes.keys()
                hints, self._hints = self._hints, {}
                messages, self._messages = self._messages, []
                deliveries, self._deliveries = self._deliveries, False
            if time.monotonic() < self._paused_until:
                take_back(self._database, messages)  # housekeeping sends, the hub sweeps
            elif lanes or hints or messages or deliveries:
                self._attempt(lanes, hints, messages, deliveries)
            if closing and not self._anything():
                break
        if self._broker is not None:
            self._broker.close()

    def _anything(self) -> bool:
        wanted = self._lanes or self._hints or self._messages or self._deliveries
        return bool(wanted or self._due())

    def _due(self) -> set[Lane]:
        now = time.monotonic()
        return {lane for lane in self._waiting if now >= self._full_until.get(lane, 0.0)}

    def _idle_s(self) -> float | None:
        """Seconds until a lane that was full is looked at again, if anybody waits there."""
        due = [self._full_until[lane] for lane in self._waiting if lane in self._full_until]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _attempt(
        self,
        lanes: dict[Lane, bool],
        hints: dict[Grown, None],
        messages: list[Message],
        deliveries: bool,
    ) -> None:
        try:
            broker = self._broker = self._broker or self._connect()
            if messages:
                send(self._database, broker, messages)
            if hints:
                broker.hint(hints)
            for lane, in_bulk in lanes.items():
                if not publish_admitted(self._database, broker, lane, self._caps, in_bulk=in_bulk):
                    self._full_until[lane] = time.monotonic() + FULL_S
            if deliveries:
                publish_deliveries(self._database, broker)
            self._pause_s = PAUSE_S
        except Exception as error:
            self._paused_until = time.monotonic() + self._pause_s
            self._pause_s = min(PAUSE_CAP_S, self._pause_s * 2)
            broken, self._broker = self._broker, None
            if broken is not None:
                broken.close()
            expected = isinstance(error, KombuError | RedisError | OSError)
            log.warning("publish_failed", error=repr(error), exc_info=not expected)


def send(database: Database, broker: Broker, messages: list[Message]) -> None:
    """Send the messages of admitted jobs.

    Raises:
        Exception: the broker's; the admissions are taken back first where Postgres answers.
    """
    try:
        broker.send(messages)
    except Exception:
        # some may have gone out; a message sent twice finds nothing to claim
        take_back(database, messages)
        raise


def take_back(database: Database, messages: list[Message]) -> None:
    """Take back admissions whose messages are not sent; where that fails, patience ends them."""
    if not messages:
        return
    try:
        with database.transaction(durable=False) as session:
            perform(session, unadmit([message.job_id for message in messages]))
    except Exception as error:
        log.warning("admissions_not_taken_back", count=len(messages), error=repr(error))


def publish_admitted(
    database: Database,
    broker: Broker,
    lane: Lane,
    caps: Caps = NO_CAPS,
    *,
    in_bulk: bool = False,
) -> int:
    """Admit what the lane has room for, and send it.

    Args:
        in_bulk: see `admit`.

    Returns:
        How many messages were sent.

    Raises:
        Exception: the broker's; the admissions are taken back first where Postgres answers.
    """
    # no number that anybody hears of: losing this commit only sends a message twice
    with database.transaction(durable=False) as session:
        messages = perform(session, admit(lane, caps=caps, in_bulk=in_bulk))
    if messages:
        send(database, broker, messages)
    return len(messages)


def publish_deliveries(database: Database, broker: Broker) -> int:
    """Pick the messages to webhooks that are due, and have them delivered.

    Returns:
        How many were handed to the broker.

    Raises:
        Exception: the broker's; they are taken back first where Postgres answers.
    """
    with database.transaction(durable=False) as session:
        messages = perform(session, admit_deliveries())
    try:
        if messages:
            broker.send(messages)
    except Exception:
        with suppress(Exception), database.transaction(durable=False) as session:
            perform(session, unsend([message.job_id for message in messages]))
        raise
    return len(messages)

"""Task events for Flower: sent a moment after the work, many at once, and never before it."""

from __future__ import annotations

import time
from typing import Any

from celery import bootsteps

#: How long events are gathered. Flower shows a task so much later. Seconds.
GATHER_S = 0.2


class Telling(bootsteps.StartStopStep):
    """Puts the events of a prefork worker off until its children have their messages.

    Celery sends what it buffered at the next turn of its loop, before the pool gets to write to
    the child: a round trip to the broker stood between a message and the start of its job.
    """

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._due_at = 0.0
        # asked for by the dispatcher whenever it has buffered an event; there is no buffer
        # without an event loop (threads)
        consumer.on_send_event_buffered = lambda: self._later(consumer)

    def _later(self, consumer: Any) -> None:
        now = time.monotonic()
        # by the clock and not by a flag: a connection that breaks takes its timers with it
        if now >= self._due_at and consumer.hub is not None:
            self._due_at = now + GATHER_S
            consumer.hub.call_later(GATHER_S, self._send, consumer)

    @staticmethod
    def _send(consumer: Any) -> None:
        if consumer.event_dispatcher is not None:
            consumer.event_dispatcher.flush()

"""The rest of an event stream once it is open: thousands of them wait in one process."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from contextlib import ExitStack
from typing import Any

import fastapi.routing
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.types import Receive, Send

from api.following import Following
from api.frames import Follower

#: Frames are sent together until they fill a packet; a client must take each packet within the
#: write timeout, and others have their turn between two. Bytes.
PACKET = 1400


class Tail:
    """Sends a follower its events, up to the last one, and pings while there are none.

    While nothing happens it is the request's own task, which waits for the client to leave, and a
    timer. FastAPI's tasks, pipes, and dependencies have gone by then: they take 50 kB.
    """

    def __init__(self, source: Following, follower: Follower, held: ExitStack) -> None:
        """
        Args:
            held: closed when the stream ends.
        """
        self._source = source
        self._follower = follower
        self._held = held
        now = time.monotonic()
        self._give_up_at = now + source.lifetime_s
        # not all ping at one moment, though all may have come at one
        self._quiet_since = now - random.uniform(0, 0.5) * _ping_every_s()  # noqa: S311
        self._ping_due = False
        self._over = False
        self._send: Send
        self._context: contextvars.Context
        self._task: asyncio.Task[Any] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None

    async def serve(self, receive: Receive, send: Send) -> None:
        """See `api.visit.Rest`."""
        self._send = send
        self._task = asyncio.current_task()
        self._context = contextvars.copy_context()
        self._follower.wake = self._wake
        self._wake()
        self._tick()
        try:
            # also said when the answer is whole
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if self._error is None or self._task is None:
                raise
            self._task.uncancel()
            raise self._error from None
        finally:
            self.close()

    def close(self) -> None:
        """See `api.visit.Rest`."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is not None:
            self._writer.cancel()
        self._held.close()

    def _wake(self) -> None:
        if self._writer is None and not self._over:
            loop = asyncio.get_running_loop()
            self._writer = loop.create_task(self._write(), context=self._context)

    def _tick(self) -> None:
        """Ping after a silence, end after a lifetime, and look again when the next is due."""
        now, every_s = time.monotonic(), _ping_every_s()
        left = self._quiet_since + every_s - now
        if left <= 0:
            self._ping_due, left = True, every_s
        if self._ping_due or now >= self._give_up_at:
            self._wake()
        if now < self._give_up_at:
            in_s = min(left, self._give_up_at - now)
            self._timer = asyncio.get_running_loop().call_later(in_s, self._tick)

    async def _write(self) -> None:
        """Send what there is."""
        try:
            while chunk := self._chunk():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
                self._quiet_since = time.monotonic()
                await asyncio.sleep(0)
            if self._over:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception as error:
            # the request's task shall end with it
            self._error = error
            if self._task is not None:
                self._task.cancel()
        finally:
            self._writer = None

    def _chunk(self) -> bytes:
        """Frames to send now; nothing when there are none, or the stream is over."""
        now, parts, size = time.monotonic(), list[bytes](), 0
        self._over = self._over or self._source.closing or now >= self._give_up_at
        while not self._over and size < PACKET:
            frame = self._source.take(self._follower)
            if frame is None:
                break
            parts.append(frame.encoded)
            size += len(frame.encoded)
            self._over = frame.last
        if self._ping_due and not parts and not self._over:
            parts.append(KEEPALIVE_COMMENT)
        self._ping_due = False
        return b"".join(parts)


def _ping_every_s() -> float:
    """FastAPI's own beat."""
    return float(vars(fastapi.routing)["_PING_INTERVAL"])

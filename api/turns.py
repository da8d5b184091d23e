"""Streams are opened a few at a time: after a restart everybody comes back at once."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STREAMS = re.compile(r"/api/v1/(users/[^/]+/)?(jobs/[^/]+/)?events")
#: Streams that are being opened at one moment. Each takes 80 kB until it is open, and memory of
#: which two thousand take their part at once is not given back.
AT_ONCE = 50
#: Longest wait for a turn; when a store is slow, everybody goes in. Seconds.
PATIENCE_S = 10.0


class Turns:
    """Lets requests for streams wait for their turn, before they cost anything."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._free = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _STREAMS.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        held = False
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                held = await self._free.acquire()

        def leave() -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()

        async def send_first(message: Message) -> None:
            leave()  # a client that does not read keeps nobody else out
            await send(message)

        try:
            await self.app(scope, receive, send_first)
        finally:
            leave()

"""Streams end when the server is told to stop, or it would wait for them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from api.stream import Hub


def end_streams_on_signal(hub: Hub) -> Callable[[], None]:
    """End streams when the server is told to stop.

    Uvicorn waits for open responses before it runs the end of the lifespan, and an SSE
    response is open until somebody ends it; so we listen to the signal as well.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.end_streams)
        if callable(before[number]):
            before[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, end)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore

"""The end of what runs beside the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

#: A cancel that was lost is repeated after so long. Seconds.
AGAIN_S = 0.5


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended.

    One cancel may get lost: `asyncio.wait_for` drops one that comes with what it waits for (up
    to Python 3.11), and a rollback that fails takes the place of another.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)

"""The end of an API process: it comes, whatever its readers are doing at that moment."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from api.stream import Hub
from tests.api.conftest import MakeApp, Running
from tests.errands import soon


def _has_looked(hub: Hub) -> bool:
    return hub._timed_at > 0


class TestAnApiThatIsToldToGo:
    @pytest.mark.parametrize("reader", ["hub", "feed"])
    async def test_goes_although_a_reader_was_just_woken(
        self, make_app: MakeApp, running: Running, reader: str
    ) -> None:
        """`asyncio.wait_for` loses a cancel that comes between the wake and its reader.

        Up to Python 3.11; so a cancel is repeated until its task has ended.
        """
        for ticks in range(6):
            app = make_app()
            async with asyncio.timeout(8), running(app):
                room = app.state.engine_room
                woken = getattr(room, reader)
                # then both wait, and have nothing to read
                await soon(partial(_has_looked, room.hub))
                await asyncio.sleep(0.01)
                woken._wake.set()
                for _ in range(ticks):
                    await asyncio.sleep(0)
                async with asyncio.timeout(3):
                    await woken.close()

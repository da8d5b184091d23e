"""The end of an API process: it comes, whatever its readers are doing at that moment."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.api.conftest import MakeApp, Running
from tests.errands import soon


class TestAnApiThatIsToldToGo:
    @pytest.mark.parametrize("reader", ["hub", "feed"])
    async def test_goes_although_a_reader_was_just_woken(
        self, make_app: MakeApp, running: Running, reader: str
    ) -> None:
        """`asyncio.wait_for` loses a cancel that comes between the wake and its reader.

        Up to Python 3.11; so the readers look for themselves whether it is over.
        """
        for ticks in range(6):
            app = make_app()
            async with asyncio.timeout(8), running(app):
                room = app.state.engine_room
                woken = getattr(room, reader)
                # then both wait, and have nothing to read
                await soon(partial(getattr, room.hub, "_paced_at"))
                await asyncio.sleep(0.01)
                woken._wake.set()
                for _ in range(ticks):
                    await asyncio.sleep(0)
                async with asyncio.timeout(3):
                    await woken.close()

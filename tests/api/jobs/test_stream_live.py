"""The event stream while things happen: hints, the sweep without them, pings, positions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import fastapi.routing
import pytest
from fastapi import FastAPI

from api import stream
from tests import sse
from tests.api.conftest import MakeApp
from tests.conftest import User
from tests.errands import Errands, soon, url
from tests.sse import Frame

Serving = Callable[[FastAPI], AbstractAsyncContextManager[int]]


async def until_seq(frames: AsyncIterator[Frame], seq: int) -> Frame:
    """Read on to the event of this number."""
    async for frame in frames:
        if frame.id == str(seq):
            return frame
    raise AssertionError(f"ended before {seq}")


class TestAnEvent:
    async def test_that_is_hinted_arrives_at_once(self, user: User, errands: Errands) -> None:
        """Ten in a row: faster than any sweep could be."""
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        async with sse.following(user.http, url(job_id, "/events")) as frames:
            await until_seq(frames, 2)
            began = time.monotonic()
            for n in range(10):
                seq = errands.report(claimed, n / 10)
                errands.hint(job_id)
                await until_seq(frames, seq)
            assert time.monotonic() - began < 3

    async def test_that_nobody_hints_arrives_by_the_sweep(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        async with sse.following(user.http, url(job_id, "/events")) as frames:
            await until_seq(frames, 2)
            for n in range(3):
                began = time.monotonic()
                await until_seq(frames, errands.report(claimed, n / 3))
                assert time.monotonic() - began < 1.5
            errands.succeed(claimed)
            assert [frame.event async for frame in frames] == ["job.succeeded"]

    async def test_reaches_everybody_who_follows(self, user: User, errands: Errands) -> None:
        """Late and early ones, who begin at different numbers."""
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        paths = [url(job_id, f"/events?starting_after={n % 3}") for n in range(6)]
        streams = [asyncio.create_task(sse.whole(user.http, path)) for path in paths]
        for n in range(5):
            errands.report(claimed, n / 5)
            errands.hint(job_id)
            await asyncio.sleep(0)
        errands.succeed(claimed)
        for n, found in enumerate(await asyncio.gather(*streams)):
            seen = [frame.seq for frame in sse.numbered(found)]
            assert seen == list(range(n % 3 + 1, 9))

    async def test_survives_nonsense_from_the_broker(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        async with sse.following(user.http, url(job_id, "/events")) as frames:
            await until_seq(frames, 2)
            for nonsense in ("", "x", "\x00\xff", "1 2 3", str(job_id)[:-1]):
                errands.publish(nonsense)
            errands.succeed(claimed)
            errands.publish(f"what {job_id} ever")
            began = time.monotonic()
            assert (await until_seq(frames, 3)).event == "job.succeeded"
            assert time.monotonic() - began < 1.5


class TestSilence:
    async def test_is_broken_by_pings(
        self, user: User, errands: Errands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.1)
        job_id = errands.submit()
        errands.claim(job_id)
        async with sse.following(user.http, url(job_id, "/events")) as frames:
            await until_seq(frames, 2)
            pings = [await anext(frames) for _ in range(3)]
        assert pings == [Frame(comment="ping")] * 3

    async def test_is_fifteen_seconds_at_most(self) -> None:
        assert vars(fastapi.routing)["_PING_INTERVAL"] <= 15


class TestThePlaceInTheQueue:
    async def test_is_a_hint_without_an_id(self, user: User, errands: Errands) -> None:
        first, second = errands.submit(), errands.submit()
        async with sse.following(user.http, url(second, "/events")) as frames:
            before = (await anext(frames)).data["queue_position"]
            await until_seq(frames, 1)
            errands.claim(first)
            moved = [frame async for frame in _hints(frames, before - 1)]
        assert {frame.event for frame in moved} == {"job.queue"}
        assert {frame.id for frame in moved} == {None}
        assert set(moved[-1].data) == {"job_id", "queue_position", "eta_s", "starts_in_s"}
        assert moved[-1].data["job_id"] == str(second)
        assert moved[-1].data["queue_position"] <= before - 1

    async def test_is_never_told_of_a_job_that_runs(self, user: User, errands: Errands) -> None:
        """A hint from before the start is of no interest after it."""
        first, second = errands.submit(), errands.submit()
        async with sse.following(user.http, url(second, "/events")) as frames:
            await until_seq(frames, 1)
            errands.claim(first)
            errands.succeed(errands.claim(second))
            told = [frame.event async for frame in frames]
        assert "job.queue" not in told[told.index("job.started") :]


async def _hints(frames: AsyncIterator[Frame], position: int) -> AsyncIterator[Frame]:
    """Frames up to the hint that names this position, or one before it: others move as well."""
    async for frame in frames:
        yield frame
        if frame.data["queue_position"] <= position:
            return


class TestStreams:
    async def test_hold_no_connection_to_the_database(
        self, user: User, errands: Errands, make_app: MakeApp, serving: Serving
    ) -> None:
        app = make_app()
        job_id = errands.submit()
        errands.claim(job_id)
        async with serving(app) as port:
            path = f"http://127.0.0.1:{port}{url(job_id, '/events')}"
            streams = [asyncio.create_task(sse.whole(user.http, path)) for _ in range(40)]
            await soon(lambda: _followers(app) == 40)
            databases = app.state.services.databases
            for _ in range(50):
                assert databases.app.engine.pool.checkedout() == 0
                # however many follow: what was marked, the sweep, and the look at the queue
                assert databases.engine.engine.pool.checkedout() <= 3
                await asyncio.sleep(0.02)
            app.state.engine_room.hub.end_streams()
            await asyncio.gather(*streams)
            await soon(lambda: _followers(app) == 0)


def _followers(app: FastAPI) -> int:
    hub: stream.Hub = app.state.engine_room.hub
    return len(list(hub._all()))

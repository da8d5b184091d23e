"""Clients of streams that ask for much: many streams, long logs, sockets left unread."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from typing import Any
from uuid import UUID

import httpx2
import psutil
import pytest
from fastapi import FastAPI

from api import stream
from api.frames import BUFFER, Follower
from tests import sse
from tests.api.conftest import MakeApp, Running
from tests.api.jobs.test_stream_live import Serving
from tests.conftest import User
from tests.errands import Errands, soon, url
from tests.stack import ApiChild, Stores, until

LIMIT = 3


def lengthen(errands: Errands, job_id: UUID, events: int, text: str = "") -> None:
    """Let the log of a running job grow by many events at once."""
    with errands.lab.stores.sql() as connection, connection.transaction():
        connection.execute(
            "INSERT INTO job_events (job_id, owner_id, seq, type, data)"
            " SELECT id, owner_id, seq + n, 'job.progress', %s::jsonb"
            " FROM jobs, generate_series(1, %s) AS n WHERE id = %s",
            (json.dumps({"progress": {"message": text}}), events, job_id),
        )
        connection.execute("UPDATE jobs SET seq = seq + %s WHERE id = %s", (events, job_id))


class TestManyStreams:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stream, "STREAMS_PER_USER", LIMIT)

    async def test_of_one_user_are_refused_until_one_is_left(
        self, user: User, errands: Errands, sign_up: Any
    ) -> None:
        path = url(errands.submit(), "/events")
        async with AsyncExitStack() as leaving:
            opened = [sse.following(user.http, path) for _ in range(LIMIT)]
            streams = [await leaving.enter_async_context(one) for one in opened]
            for frames in streams:
                await anext(frames)
            answer = await user.http.get(path)
            assert (answer.status_code, answer.json()["error_code"]) == (429, "TOO_MANY_STREAMS")
            assert int(answer.headers["retry-after"]) >= 1
            stranger = await sign_up()
            theirs = url(Errands(errands.lab, stranger.id).done(), "/events")
            await sse.whole(stranger.http, theirs)
        for _ in range(2 * LIMIT):  # places are given back, and none is given back twice
            assert await _opens(user, path)

    async def test_that_end_by_themselves_give_their_place_back(
        self, user: User, errands: Errands
    ) -> None:
        path = url(errands.done(), "/events")
        for _ in range(3 * LIMIT):
            await sse.whole(user.http, path)

    async def test_that_open_in_one_moment_are_never_broken(
        self, user: User, errands: Errands
    ) -> None:
        """A refusal is 429 or nothing: after 200 it would be half an answer."""
        path = url(errands.done(), "/events")
        answers = await asyncio.gather(*(user.http.get(path) for _ in range(20)))
        assert {answer.status_code for answer in answers} <= {200, 429}
        whole = [answer.text for answer in answers if answer.status_code == 200]
        assert whole
        assert all("event: job.succeeded" in text for text in whole)


async def _opens(user: User, path: str) -> bool:
    async def once() -> bool:
        async with user.http.stream("GET", path) as answer:
            return answer.status_code == 200

    give_up_at = time.monotonic() + 5
    while not await once():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.05)
    return True


class TestALongLog:
    async def test_arrives_whole_through_a_small_buffer(
        self,
        user: User,
        errands: Errands,
        make_app: MakeApp,
        serving: Serving,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # the reader asks for more by itself: no sweep comes to its help
        monkeypatch.setattr(stream, "SWEEP_EVERY_S", 600.0)
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        lengthen(errands, job_id, 1200)
        errands.succeed(claimed)
        app, held, seen = make_app(), 0, []
        async with serving(app) as port:
            path = f"http://127.0.0.1:{port}{url(job_id, '/events')}"
            async with sse.following(user.http, path) as frames:
                async for frame in frames:
                    held = max(held, *(len(one.frames) for one in _followers(app)), 0)
                    seen.append(frame)
        assert [frame.seq for frame in sse.numbered(seen)] == list(range(1, 1204))
        assert 0 < held <= BUFFER

    async def test_that_outgrows_a_slow_reader_does_not_wait_for_the_sweep(
        self,
        errand_app: FastAPI,
        running: Running,
        errands: Errands,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Whoever is full when the rest is fetched is served again as soon as there is room."""
        monkeypatch.setattr(stream, "SWEEP_EVERY_S", 60)
        job_id = errands.submit()
        errands.claim(job_id)
        async with running(errand_app):
            hub: stream.Hub = errand_app.state.engine_room.hub
            with hub.following(job_id, 0) as follower:
                frames = hub.frames(follower)
                seen = [await anext(frames)]
                lengthen(errands, job_id, 3 * BUFFER)
                hub._mark([job_id])
                await soon(lambda: not follower.hungry)
                async with asyncio.timeout(5):
                    seen += [await anext(frames) for _ in range(1 + 3 * BUFFER)]
        assert [frame.seq for frame in seen] == list(range(1, 3 + 3 * BUFFER))


def _followers(app: FastAPI) -> list[Follower]:
    hub: stream.Hub = app.state.engine_room.hub
    return list(hub._all())


class TestAClientThatDoesNotRead:
    @pytest.fixture
    def impatient(self, stores: Stores) -> Iterator[ApiChild]:
        child = ApiChild(stores, {"STREAM_WRITE_TIMEOUT_S": "1"})
        child.ready()
        yield child
        child.stop()

    async def test_is_cut_while_others_go_on(
        self, user: User, errands: Errands, impatient: ApiChild
    ) -> None:
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        lengthen(errands, job_id, 2000, "x" * 10_000)  # more than the sockets between us hold
        with closing(socket.socket()) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.connect(("127.0.0.1", impatient.port))
            port = lazy.getsockname()[1]
            lazy.sendall(_request(user, url(job_id, "/events")))
            await soon(lambda: _connected(impatient, port))
            path = f"{impatient.url}{url(job_id, '/events')}"
            async with sse.following(user.http, path) as frames:
                seen = [await anext(frames) for _ in range(2003)]
                await soon(lambda: not _connected(impatient, port), 6)
                errands.succeed(claimed)
                errands.hint(job_id)
                seen += [frame async for frame in frames]
        assert [frame.seq for frame in sse.numbered(seen)] == list(range(1, 2004))
        until(lambda: '"stream_cut"' in impatient.output(), 3)
        assert '"unhandled_error"' not in impatient.output()

    async def test_has_not_lost_its_place_for_ever(
        self, user: User, errands: Errands, impatient: ApiChild
    ) -> None:
        """Slow is allowed: what is read now and then within the time is not cut."""
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        lengthen(errands, job_id, 50, "x" * 10_000)
        errands.succeed(claimed)
        path = f"{impatient.url}{url(job_id, '/events')}"
        seen = []
        async with sse.following(user.http, path) as frames:
            async for frame in frames:
                seen.append(frame)
                await asyncio.sleep(0.03)
        assert [frame.seq for frame in sse.numbered(seen)] == list(range(1, 54))


def _request(user: User, path: str) -> bytes:
    bearer = user.http.headers["Authorization"]
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\r\n".encode()


def _connected(server: ApiChild, port: int) -> bool:
    connections = psutil.Process(server.pid).net_connections("tcp4")
    return any(
        one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
        for one in connections
    )


class TestTheEndOfTheServer:
    async def test_lets_streams_end_with_a_time_to_come_back(
        self, user: User, errands: Errands, stores: Stores
    ) -> None:
        job_ids = [errands.submit() for _ in range(5)]
        child = ApiChild(stores)
        child.ready()
        try:
            streams, seen = [], list[list[sse.Frame]]()
            for job_id in job_ids:
                path = f"{child.url}{url(job_id, '/events')}"
                seen.append([])
                streams.append(asyncio.create_task(_timed(user.http, path, seen[-1])))
            # an open socket is no stream yet, and a server that ends closes it without a word
            await soon(lambda: all(seen))
            began = time.monotonic()
            child.process.terminate()
            ended_at = await asyncio.gather(*streams)
            assert all(500 <= (frames[0].retry or 0) <= 3000 for frames in seen)
            assert max(ended_at) - began < 3
            await soon(lambda: child.process.poll() is not None, 5)
            assert time.monotonic() - began < 6
        finally:
            child.kill()

    async def test_ends_waits_as_well(
        self, user: User, errand_app: FastAPI, running: Running
    ) -> None:
        async with running(errand_app) as http:
            http.headers["Authorization"] = user.http.headers["Authorization"]
            hub: stream.Hub = errand_app.state.engine_room.hub
            answer = asyncio.create_task(
                http.post("/errands", json={}, headers={"Prefer": "wait=25"})
            )
            await soon(lambda: _followers(errand_app))
            hub.end_streams()
            began = time.monotonic()
            assert (await answer).status_code == 202
            assert time.monotonic() - began < 1


async def _timed(http: httpx2.AsyncClient, path: str, seen: list[sse.Frame]) -> float:
    """Collect the frames of a stream as they come; when it ended."""
    async with sse.following(http, path) as frames:
        async for frame in frames:
            seen.append(frame)  # noqa: PERF401  (as they come)
    return time.monotonic()

"""The rest of a stream: how little it takes while nothing happens, and how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import Message, Receive, Scope, Send

from api import following, turns
from api.door import Door
from api.frames import Follower, Frame
from api.metrics import Requests
from api.stream import Hub
from api.tail import PACKET, Tail
from api.turns import Turns
from api.visit import visit_of
from core.settings import Settings
from services.jobs.feed import Cursor
from tests import sse
from tests.api.conftest import MakeApp, Running
from tests.api.jobs.test_stream_live import Serving
from tests.conftest import User
from tests.errands import Errands, soon, url

STREAMS = 20


def tasks() -> Counter[str]:
    """What runs in this event loop, by the name of its coroutine."""
    running = (task.get_coro() for task in asyncio.all_tasks() if not task.done())
    return Counter(getattr(one, "__qualname__", "?") for one in running)


class TestAnIdleStream:
    async def test_is_one_task(
        self, user: User, errands: Errands, make_app: MakeApp, serving: Serving
    ) -> None:
        """All that FastAPI opens a stream with has gone: that is most of its memory."""
        job_id, app = errands.submit(), make_app()
        errands.claim(job_id)
        async with serving(app) as port:
            path = f"http://127.0.0.1:{port}{url(job_id, '/events')}"
            before = tasks()
            clients = [asyncio.create_task(sse.whole(user.http, path)) for _ in range(STREAMS)]
            hub: Hub = app.state.engine_room.hub
            await soon(lambda: [one.cursor for one in hub._all()] == [2] * STREAMS)
            await soon(lambda: (tasks() - before).total() <= 2 * STREAMS)
            grown = tasks() - before
            hub.end_streams()
            await asyncio.gather(*clients)
        assert grown == {"whole": STREAMS, "RequestResponseCycle.run_asgi": STREAMS}

    async def test_ends_after_its_time_and_is_resumed(
        self, user: User, errands: Errands, make_app: MakeApp, serving: Serving
    ) -> None:
        job_id, app = errands.submit(), make_app(stream_lifetime_s=0.3)
        claimed = errands.claim(job_id)
        async with serving(app) as port:
            path = f"http://127.0.0.1:{port}{url(job_id, '/events')}"
            async with asyncio.timeout(5):
                first = sse.numbered(await sse.whole(user.http, path))
            errands.succeed(claimed)
            headers = {"Last-Event-ID": str(first[-1].id)}
            rest = sse.numbered(await sse.whole(user.http, path, headers=headers))
        assert [frame.seq for frame in first + rest] == [1, 2, 3]


class Client:
    """The two callables of ASGI, for one answer whose client stays until it is whole."""

    def __init__(self, send: Callable[[Message], Awaitable[None]] | None = None) -> None:
        self.sent: list[Message] = []
        self._send = send
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._send is not None:
            await self._send(message)
        self.sent.append(message)
        if not message["more_body"]:
            self._gone.set()


class Log(following.Following):
    """A source that nobody feeds: followers are given frames by hand."""

    def __init__(self) -> None:
        super().__init__(None, dict, lifetime_s=60, sweep_every_s=60)  # type: ignore[arg-type]

    async def _fetch(self, hungry: list[Follower]) -> None:
        raise AssertionError


def frame(number: int, *, size: int = 0, last: bool = False) -> Frame:
    return Frame(number, "job.progress", {"text": "x" * size}, str(number), last)


class TestTheRest:
    async def test_sends_short_frames_together_and_long_ones_alone(self) -> None:
        follower, client = Follower(uuid4(), 0), Client()
        sizes = [0] * 10 + [2 * PACKET] * 3
        for number, size in enumerate(sizes, 1):
            follower.give(frame(number, size=size, last=number == len(sizes)))
        await Tail(Log(), follower, ExitStack()).serve(client.receive, client.send)
        bodies = [message["body"] for message in client.sent]
        assert b"".join(bodies).count(b"\n\n") == len(sizes)
        assert [body.count(b"\n\n") for body in bodies] == [11, 1, 1, 0]
        assert [message["more_body"] for message in client.sent] == [True, True, True, False]

    async def test_gives_back_what_it_holds_when_sending_fails(self) -> None:
        async def fail(_message: Message) -> None:
            raise ConnectionError("the pipe is gone")

        follower, client, held = Follower(uuid4(), 0), Client(fail), ExitStack()
        given_back: list[bool] = []
        held.callback(given_back.append, True)
        follower.give(frame(1))
        with pytest.raises(ConnectionError):
            await Tail(Log(), follower, held).serve(client.receive, client.send)
        assert given_back == [True]
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    async def test_does_not_turn_in_circles_while_its_client_does_not_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.02)
        stuck, ticks = asyncio.Event(), 0

        async def wait(_message: Message) -> None:
            await stuck.wait()

        follower, client = Follower(uuid4(), 0), Client(wait)
        tail = Tail(Log(), follower, ExitStack())
        tick = tail._tick

        def counted() -> None:
            nonlocal ticks
            ticks += 1
            tick()

        monkeypatch.setattr(tail, "_tick", counted)
        serving = asyncio.create_task(tail.serve(client.receive, client.send))
        await soon(lambda: ticks >= 5)
        before = ticks
        await asyncio.sleep(0.1)
        assert ticks - before <= 8
        follower.give(frame(1, last=True))
        stuck.set()
        async with asyncio.timeout(5):
            await serving
        assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


class TestTheDoor:
    class Whole:
        """A rest that says so, and notes that it was closed."""

        closed = 0

        async def serve(self, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.body", "body": b"rest", "more_body": False})

        def close(self) -> None:
            self.closed += 1

    async def answer(self, rest: TestTheDoor.Whole, *, fails: bool) -> list[Message]:
        async def app(scope: Scope, _receive: Receive, send: Send) -> None:
            # as early as can be: before even the status has been sent
            visit_of(scope).rest = rest
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if fails:
                raise ValueError("half an answer")
            await send({"type": "http.response.body", "body": b"first ", "more_body": True})
            await send({"type": "http.response.body", "body": b"last "})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        scope: Scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
        await Door(app, Settings(), Requests(CollectorRegistry()))(scope, receive, send)
        return sent

    async def test_serves_the_rest_after_what_the_application_sends(self) -> None:
        rest = self.Whole()
        start, *pieces = await self.answer(rest, fails=False)
        assert start["status"] == 200
        assert b"".join(one["body"] for one in pieces) == b"first last rest"
        assert [one["more_body"] for one in pieces] == [True, True, False]
        assert rest.closed

    async def test_closes_it_where_the_application_fails(self) -> None:
        rest = self.Whole()
        with pytest.raises(ValueError, match="half an answer"):
            await self.answer(rest, fails=True)
        assert rest.closed


class TestTheSweep:
    async def test_reaches_everybody_slice_after_slice(
        self,
        errand_app: FastAPI,
        running: Running,
        errands: Errands,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(following, "SLICE", 3)
        claims = [errands.claim(errands.submit()) for _ in range(10)]
        async with running(errand_app):
            hub: Hub = errand_app.state.engine_room.hub
            with ExitStack() as leaving:
                all_of_them = [
                    leaving.enter_context(hub.following(one.job_id, 0)) for one in claims
                ]
                await soon(lambda: all(one.cursor == 2 for one in all_of_them))
                for one in claims:
                    errands.report(one, 0.5)  # and no hint
                await soon(lambda: all(one.cursor == 3 for one in all_of_them), 3)

    async def test_and_a_mark_that_read_the_same_give_it_once(
        self, errand_app: FastAPI, running: Running, errands: Errands
    ) -> None:
        job_ids = [errands.done(reports=2) for _ in range(2)]
        async with running(errand_app):
            hub: Hub = errand_app.state.engine_room.hub
            one = Follower(job_ids[0], 0)
            hub._followers[one.key] = {one}
            other = Follower(errands.owner_id, Cursor(0, uuid4(), 0))
            await asyncio.gather(*(hub._fetch([one]) for _ in range(3)))
            await asyncio.gather(*(hub.feed._fetch([other]) for _ in range(3)))
            del hub._followers[one.key]
        assert [each.seq for each in one.frames] == [1, 2, 3, 4, 5]
        assert [each.seq for each in other.frames] == [1, 2, 3, 4, 5] * 2


class TestTurns:
    class Slow:
        """An application that answers when it is told to."""

        def __init__(self) -> None:
            self.entered = 0
            self.answer = asyncio.Event()
            self.finish = asyncio.Event()

        async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
            self.entered += 1
            await self.answer.wait()
            await send({"type": "http.response.start", "status": 200})
            await self.finish.wait()

    async def ask(self, door: Turns, path: str) -> None:
        async def nothing(*_: Any) -> Any:
            return None

        await door({"type": "http", "path": path}, nothing, nothing)

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(turns, "AT_ONCE", 3)

    @pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/users/1/jobs/2/events"])
    async def test_are_kept_until_the_answer_begins(self, path: str) -> None:
        app = self.Slow()
        door = Turns(app)
        asking = [asyncio.create_task(self.ask(door, path)) for _ in range(9)]
        other = asyncio.create_task(self.ask(door, "/api/v1/jobs"))
        await soon(lambda: app.entered == 4)  # three streams, and what is none
        for _ in range(20):
            await asyncio.sleep(0)
        assert app.entered == 4
        app.answer.set()  # the streams stay open, and still everybody gets in
        await soon(lambda: app.entered == 10)
        app.finish.set()
        await asyncio.gather(other, *asking)

    async def test_are_not_waited_for_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(turns, "PATIENCE_S", 0.05)
        app = self.Slow()
        door = Turns(app)
        asking = [asyncio.create_task(self.ask(door, "/api/v1/events")) for _ in range(9)]
        await soon(lambda: app.entered == 9, 3)
        app.answer.set()
        app.finish.set()
        await asyncio.gather(*asking)
        # nobody gave back what they never had
        assert door._free._value == 3

"""Bodies that are too large, and clients that do not read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import httpx2
import structlog
from fastapi import Depends, FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.door import body_limit
from tests.api.conftest import MakeApp
from tests.stack import Stores


async def too_much() -> AsyncIterator[bytes]:
    for _ in range(30):
        yield b"x" * 50_000


class TestBodyLimit:
    def test_routes_may_bring_their_matrix(self) -> None:
        assert body_limit("POST", "/api/v1/routes") == 16_000_000
        assert body_limit("POST", "/api/v1/users/abc/routes") == 16_000_000
        assert body_limit("POST", "/api/v1/routes/x") == 1_000_000
        assert body_limit("GET", "/api/v1/routes") == 1_000_000

    async def test_a_body_of_just_the_limit_is_read(self, http: httpx2.AsyncClient) -> None:
        head = b'{"email": "'
        body = head + b"x" * (1_000_000 - len(head) - 2) + b'"}'
        headers = {"content-type": "application/json"}
        answer = await http.post("/api/v1/auth/login", content=body, headers=headers)
        assert answer.status_code == 422
        answer = await http.post("/api/v1/auth/login", content=body + b" ", headers=headers)
        assert answer.status_code == 413

    async def test_over_a_socket_a_declared_and_a_chunked_body_are_refused(
        self, http: httpx2.AsyncClient
    ) -> None:
        headers = {"content-type": "application/json"}
        for content in (b"x" * 2_000_000, too_much()):
            answer = await http.post("/api/v1/auth/login", content=content, headers=headers)
            assert answer.status_code == 413
            assert answer.json()["error_code"] == "CONTENT_TOO_LARGE"
        # and the next one on the same connections is served
        assert (await http.get("/livez")).status_code == 200


class TestStalledClient:
    async def test_is_cut_off_and_its_stream_ends(
        self,
        stores: Stores,
        make_app: MakeApp,
        serving: Callable[[FastAPI], AbstractAsyncContextManager[int]],
    ) -> None:
        app = make_app(stream_write_timeout_s=0.5)
        ended = asyncio.Event()

        async def place() -> AsyncIterator[None]:
            # what must be given back belongs into a dependency of the request: a generator that
            # is cancelled while it waits for its reader ends when it is garbage collected
            try:
                yield
            finally:
                ended.set()

        @app.get("/test/flood", response_class=EventSourceResponse, dependencies=[Depends(place)])
        async def flood() -> AsyncIterator[ServerSentEvent]:
            while True:
                yield ServerSentEvent(data="x" * 100_000)

        loop = asyncio.get_running_loop()
        with structlog.testing.capture_logs() as lines:
            async with serving(app) as port:
                with contextlib.closing(socket.socket()) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    client.setblocking(False)
                    await loop.sock_connect(client, ("127.0.0.1", port))
                    await loop.sock_sendall(client, b"GET /test/flood HTTP/1.1\r\nHost: x\r\n\r\n")
                    await asyncio.wait_for(ended.wait(), 5)
                    # what lay in the buffers is all that ever comes
                    with contextlib.suppress(ConnectionResetError):
                        while await asyncio.wait_for(loop.sock_recv(client, 1_000_000), 5):
                            pass
        assert "stream_cut" in [line["event"] for line in lines]
        assert "unhandled_error" not in [line["event"] for line in lines]

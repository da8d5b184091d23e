"""Applications of one test: with other settings, with routes that misbehave, or on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from core.settings import Settings
from local.ports import free_port
from local.valkey import Valkey
from tests import stack
from tests.stack import Child, Stores

MakeApp = Callable[..., FastAPI]
Running = Callable[[FastAPI], AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def make_app(stores: Stores) -> MakeApp:
    """An application with some settings of its own; it runs once it is given to `running`."""

    def make(**settings: Any) -> FastAPI:
        return create_app(Settings().model_copy(update=settings))

    return make


@pytest.fixture
def running() -> Running:
    """Run an application without a socket; gives a client."""

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
                yield client

    return run


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they stay pytest's


@pytest.fixture
def serving() -> Callable[[FastAPI], AbstractAsyncContextManager[int]]:
    """Run an application behind a real socket; gives the port."""

    @asynccontextmanager
    async def serve(app: FastAPI) -> AsyncIterator[int]:
        port = free_port()
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=2
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
        yield port
        server.should_exit = True
        await task

    return serve


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of one test, which may freeze it."""
    server = Valkey(tmp_path / "valkey", durable=False)
    server.init()
    server.start()
    yield server
    if server.running:
        server.resume()
    server.destroy()


@pytest.fixture(scope="module")
def io_worker(stores: Stores) -> Iterator[Child]:
    """A worker of the lane that waits for other people's servers."""
    child = stack.worker(stores, "io")
    stack.entered(stores, child)
    yield child
    child.stop()

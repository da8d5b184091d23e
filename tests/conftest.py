"""What every test may ask for: real stores, the API on a socket, users, a worker."""

from __future__ import annotations

import asyncio
import faulthandler
import itertools
import os
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import structlog
import uvicorn
from _pytest.faulthandler import fault_handler_stderr_fd_key

from api.ending import end
from core.settings import get_settings
from local.ports import free_port
from tests import stack
from tests.stack import Child, Stores

# Plugins and imports may make Celery read its configuration while tests are collected; no
# store is up then, and nothing connects to this one.
os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")


# The default shows every local variable of every frame of an error: seconds for each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """One Postgres and one Valkey for the tests of this process."""
    with stack.stores() as made:
        before = dict(os.environ)
        os.environ.update(made.env())
        get_settings.cache_clear()
        yield made
        os.environ.clear()
        os.environ.update(before)
        get_settings.cache_clear()


class _Server(uvicorn.Server):
    """Uvicorn inside the test's own event loop; signals stay pytest's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest_asyncio.fixture(scope="session")
async def server(stores: Stores) -> AsyncIterator[str]:
    """The API on a real socket, in this process; its address."""
    from api.app import create_app

    port = free_port()
    config = uvicorn.Config(
        create_app(), host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=2
    )
    running = _Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:
        assert not task.done(), task.exception()
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    await task
    await _nobody_left()


async def _nobody_left() -> None:
    """End what still runs in the loop, whose own end cancels once and then waits for ever."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    ending = asyncio.create_task(end(left))
    await asyncio.wait({ending}, timeout=30)
    for task in left:
        if not task.done():
            task.print_stack()
    assert ending.done(), "what is printed above does not obey a cancel"


@dataclass
class User:
    """Somebody who has signed up, with a client that carries the token."""

    id: str
    email: str
    password: str
    tokens: dict[str, Any]
    http: httpx2.AsyncClient


_numbers = itertools.count(1)


@pytest_asyncio.fixture
async def http(server: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a token."""
    async with httpx2.AsyncClient(base_url=server, timeout=30) as client:
        yield client


@pytest_asyncio.fixture
async def sign_up(server: str, http: httpx2.AsyncClient) -> AsyncIterator[Any]:
    """Make users: `await sign_up()`."""
    clients = []

    async def make() -> User:
        email = f"rv{next(_numbers)}-{os.getpid()}@example.com"
        body = {"email": email, "password": "correct horse battery"}
        answer = await http.post("/api/v1/auth/signup", json=body)
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        client = httpx2.AsyncClient(
            base_url=server,
            timeout=30,
            headers={"Authorization": f"Bearer {data['access_token']}"},
        )
        clients.append(client)
        return User(data["user"]["id"], email, body["password"], data, client)

    yield make
    for client in clients:
        await client.aclose()


@pytest_asyncio.fixture
async def user(sign_up: Any) -> User:
    """One user."""
    made: User = await sign_up()
    return made


@pytest.fixture(scope="session")
def compute_worker(stores: Stores) -> Iterator[Child]:
    """A worker of the compute lane, shared by the tests that only need work to be done."""
    child = stack.worker(stores)
    stack.entered(stores, child)
    yield child
    child.stop()


@contextmanager
def no_plan_begins(stores: Stores) -> Iterator[None]:
    """No worker begins a plan, though a file before this one may have left one about."""
    with stores.sql() as sql:
        sql.execute(
            "INSERT INTO pauses (scope, name, paused_by)"
            " VALUES ('kind', 'plan_route', gen_random_uuid())"
        )
        yield
        sql.execute("DELETE FROM pauses")


@pytest.fixture
def held(stores: Stores) -> Iterator[None]:
    """See `no_plan_begins`."""
    with no_plan_begins(stores):
        yield


@pytest.fixture(scope="session")
def housekeeper(stores: Stores) -> Iterator[Child]:
    """The lifeline, shared likewise."""
    child = stack.housekeeping(stores)
    yield child
    child.stop()


#: Tests that take long: processes are killed and started again, packages of npm installed.
CAMPAIGNS = (
    "tests/faults/",
    "tests/chaos/test_bites.py",
    "tests/e2e/test_eventsource.py",
    "tests/e2e/test_estimates.py",
    "tests/e2e/test_openapi_fuzz.py",
    "tests/e2e/test_openapi_tools.py",
    "tests/e2e/test_tracing.py",
    "tests/services/jobs/test_state_machine.py",
    "tests/tasks/read_receipt/test_reading.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(CAMPAIGNS):
            item.add_marker("campaign")


#: What follows the last test (coverage put together, workers of xdist ended). Seconds.
END_S = 300.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """A session that cannot end shows where it hangs, and ends."""
    error_output = session.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(END_S, file=error_output, exit=True)
    return (yield)


class Failures:
    """Prints each failure when it happens: a run that is killed has told of it all the same."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.line(f"{report.nodeid} ({report.when})\n{report.longreprtext}")


@pytest.hookimpl(trylast=True)  # once there is a terminal
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failures(terminal))

"""The API restarts under five hundred open streams: scenario 21."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

import psutil

from api.app import ENGINE_POOL_SIZE
from core.settings import get_settings
from tests.errands import soon
from tests.faults.client import Client
from tests.faults.conftest import Floor
from tests.faults.kinds import DOZE
from tests.stack import ApiChild

#: A user may hold a hundred streams open on one process.
USERS, JOBS_EACH, FOLLOWERS_PER_JOB = 5, 4, 25
#: A server that is told to go ends its streams within so long. Seconds.
END_S = 3.0


@dataclass
class Listener:
    """An EventSource: follows one job, and resumes from its last id until it is told 204.

    On a bare socket: five hundred of a comfortable client would be measured, not the server.
    """

    port: int
    path: str
    token: str
    #: Numbers of the events in the order in which they came.
    numbers: list[int] = field(default_factory=list)
    #: The data of the newest.
    newest: bytes = b""
    retries_ms: list[int] = field(default_factory=list)
    ended_at: list[float] = field(default_factory=list)
    open: bool = False

    async def listen(self) -> None:
        while not await self._once():
            # what an EventSource waits unless it is told otherwise
            wait_ms = self.retries_ms[-1] if self.retries_ms else 3000
            await asyncio.sleep(wait_ms / 1000)

    async def _once(self) -> bool:
        """One connection; True once there is nothing more to hear."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False  # refused while nobody listens
        try:
            lines = [f"GET {self.path} HTTP/1.1", "Host: test", f"Authorization: {self.token}"]
            if self.numbers:
                lines.append(f"Last-Event-ID: {self.numbers[-1]}")
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 204"):
                return True
            assert head.startswith(b"HTTP/1.1 200"), head + await reader.read(1000)
            self.open = True
            await self._read(reader)
        except (OSError, asyncio.IncompleteReadError):
            pass  # cut
        finally:
            writer.close()
            if self.open:
                self.open = False
                self.ended_at.append(time.monotonic())
        return False

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """The lines of frames; those between them that belong to chunks begin otherwise."""
        while line := await reader.readline():
            if line == b"0\r\n":  # the last chunk
                return
            if line.startswith(b"id: "):
                self.numbers.append(int(line[4:]))
            elif line.startswith(b"retry: "):
                self.retries_ms.append(int(line[7:]))
            elif line.startswith(b"data: "):
                self.newest = line[6:]


def connections(api: ApiChild, port: int) -> int:
    found = psutil.Process(api.pid).net_connections("tcp")
    return sum(1 for one in found if one.raddr and one.raddr.port == port)


async def follow_over_a_restart(
    floor: Floor, api: ApiChild, listeners: list[Listener]
) -> tuple[float, list[int]]:
    """Everybody follows; the API is told to go and comes back; everybody hears the end.

    Returns:
        When it was told to go, and its connections to Postgres with all streams open.
    """
    port = floor.stores.postgres.port
    async with asyncio.TaskGroup() as listening:
        for one in listeners:
            listening.create_task(one.listen())
        await soon(lambda: all(one.open and one.numbers for one in listeners), 30)
        held = [connections(api, port)]
        told_at = time.monotonic()
        await asyncio.to_thread(api.stop)
        api.start()
        await asyncio.to_thread(api.ready)
        await soon(lambda: all(one.open for one in listeners), 30)
        held.append(connections(api, port))
        with floor.stores.sql() as connection:
            connection.execute("UPDATE jobs SET finish_requested_at = now()")
    return told_at, held


def followers(floor: Floor, client: Client, port: int) -> list[Listener]:
    """All that one user has open, on jobs that run until they are told to finish."""
    jobs = floor.submit(JOBS_EACH, DOZE, owner=client.user_id, seconds=50, step_s=0.5)
    token = client.http.headers["Authorization"]
    return [
        Listener(port, f"/api/v1/jobs/{job_id}/events", token)
        for job_id in jobs
        for _ in range(FOLLOWERS_PER_JOB)
    ]


class TestFiveHundredStreams:
    async def test_come_back_after_a_restart_without_gap_or_double(self, floor: Floor) -> None:
        floor.housekeeping()
        floor.worker("io", slots=USERS * JOBS_EACH)
        api = floor.api()
        clients = [floor.client(api.url) for _ in range(USERS)]
        listeners = [one for client in clients for one in followers(floor, client, api.port)]
        assert len(listeners) == 500
        told_at, held = await follow_over_a_restart(floor, api, listeners)
        took = sorted(one.ended_at[0] - told_at for one in listeners)
        assert took[-1] <= END_S, (took[::50], api.output()[-3000:])
        # each was told when to come back, and not all at one moment
        assert len({one.retries_ms[0] for one in listeners}) > 100
        # one connection more is the publisher's
        assert max(held) <= get_settings().database_pool_size + ENGINE_POOL_SIZE + 1
        for one in listeners:
            assert one.numbers == list(range(1, len(one.numbers) + 1))
            assert json.loads(one.newest)["job"]["status"] == "succeeded"
        floor.check()

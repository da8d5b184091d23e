"""The API restarts under five hundred open streams: scenario 21."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psutil

from api.app import ENGINE_POOL_SIZE
from core.settings import get_settings
from tests import sse
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
    """An EventSource: follows one job, and resumes from its last id until it is told 204."""

    http: httpx2.AsyncClient
    path: str
    token: str
    events: list[dict[str, Any]] = field(default_factory=list)
    retries_ms: list[int] = field(default_factory=list)
    ended_at: list[float] = field(default_factory=list)
    open: bool = False

    async def listen(self) -> None:
        while not await self._once():
            # what an EventSource waits unless it is told otherwise
            wait_ms = self.retries_ms[-1] if self.retries_ms else 3000
            await asyncio.sleep(wait_ms / 1000)

    async def _once(self) -> bool:
        headers = {"Authorization": self.token}
        if self.events:
            headers["Last-Event-ID"] = str(self.numbers[-1])
        try:
            async with self.http.stream("GET", self.path, headers=headers) as answer:
                if answer.status_code == 204:
                    return True
                assert answer.status_code == 200, await answer.aread()
                self.open = True
                await self._read(answer)
        except httpx2.TransportError:
            pass  # refused while nobody listens
        finally:
            if self.open:
                self.open = False
                self.ended_at.append(time.monotonic())
        return False

    async def _read(self, answer: httpx2.Response) -> None:
        async for frame in sse.frames(answer):
            if frame.retry is not None:
                self.retries_ms.append(frame.retry)
            if frame.id is not None:
                self.events.append(frame.data)

    @property
    def numbers(self) -> list[int]:
        return [event["seq"] for event in self.events]


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


def followers(floor: Floor, client: Client, http: httpx2.AsyncClient) -> list[Listener]:
    """All that one user has open, on jobs that run until they are told to finish."""
    jobs = floor.submit(JOBS_EACH, DOZE, owner=client.user_id, seconds=50, step_s=0.5)
    token = client.http.headers["Authorization"]
    return [
        Listener(http, f"/api/v1/jobs/{job_id}/events", token)
        for job_id in jobs
        for _ in range(FOLLOWERS_PER_JOB)
    ]


class TestFiveHundredStreams:
    async def test_come_back_after_a_restart_without_gap_or_double(self, floor: Floor) -> None:
        floor.housekeeping()
        floor.worker("io", slots=USERS * JOBS_EACH)
        api = floor.api()
        clients = [floor.client(api.url) for _ in range(USERS)]
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx2.AsyncClient(base_url=api.url, timeout=30, limits=limits) as http:
            listeners = [one for client in clients for one in followers(floor, client, http)]
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
            assert one.events[-1]["job"]["status"] == "succeeded"
        floor.check()

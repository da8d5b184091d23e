"""Two thousand event streams on one API process: their memory, their speed, and all at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from json import loads
from typing import Any
from uuid import UUID

import psutil
import redis

from bench.load import quantile, request
from bench.rig import Rig
from core.open_files import allow_many_files

Figures = dict[str, Any]
#: A running job, its fence, and its owner.
Run = tuple[UUID, UUID, UUID]

#: Streams that one user may hold open on one process.
PER_USER = 100
#: Jobs whose progress is told; the others wait.
TOLD = 100
#: Longest that everybody together may take to open. Seconds.
OPEN_WITHIN_S = 90.0


@dataclass
class Told:
    """What the listeners heard: when each event came, and what went wrong."""

    arrivals: dict[tuple[str, int], float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    snapshots: int = 0
    #: Streams on which the log has begun.
    caught_up: int = 0


class Listener(asyncio.Protocol):
    """One stream on a bare socket: a comfortable client would be measured, not the server."""

    def __init__(self, job_id: str, content: bytes, told: Told) -> None:
        self._job_id = job_id
        self._content = content
        self._told = told
        self._rest = b""
        self._status = b""
        self._newest = 0
        self._leaving = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._content)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"id: "):
                self._told.caught_up += not self._newest
                self._newest = int(line[4:])
                self._told.arrivals.setdefault((self._job_id, self._newest), now)
            elif line.startswith(b"event: job.snapshot"):
                self._told.snapshots += 1
            elif not self._status:
                self._status = line
                if not line.startswith(b"HTTP/1.1 200"):
                    self._told.errors.append(line.decode())

    def connection_lost(self, error: Exception | None) -> None:
        if not self._leaving:
            self._told.errors.append(f"cut: {error}")

    def leave(self) -> None:
        self._leaving = True
        if self.transport is not None:
            self.transport.abort()


async def _open_all(port: int, asked: list[tuple[str, bytes]], told: Told) -> list[Listener]:
    """Connect everybody in one moment."""
    listeners = [Listener(job_id, content, told) for job_id, content in asked]
    loop = asyncio.get_running_loop()

    async def connect(one: Listener) -> None:
        try:
            await loop.create_connection(lambda: one, "127.0.0.1", port)
        except OSError as error:
            told.errors.append(repr(error))

    await asyncio.gather(*(connect(one) for one in listeners))
    return listeners


async def _soon(condition: Callable[[], bool], within_s: float = OPEN_WITHIN_S) -> None:
    give_up_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {within_s} s")
        await asyncio.sleep(0.02)


def _owner_of(token: str) -> UUID:
    part = token.split(".")[1]
    return UUID(loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"])


def event_streams(
    rig: Rig, streams: int = 2000, per_s: float = 200, seconds: float = 10
) -> Figures:
    """(e) Idle SSE streams: memory, the way of an event to its client, all coming back at once."""
    from tests.faults.kinds import NAP
    from tests.lab import Lab

    allow_many_files()
    os.environ.update(rig.stores.env())
    tokens = [rig.token() for _ in range(streams // PER_USER)]
    followed = [(token, _owner_of(token)) for token in tokens for _ in range(PER_USER)]
    lab = Lab(rig.stores)
    with ThreadPoolExecutor(4) as pool:
        job_ids = list(pool.map(lambda one: lab.submit(one[1], NAP).job_id, followed))
        told = job_ids[:: max(1, streams // TOLD)]
        claims = list(pool.map(lambda job_id: lab.claim(job_id, lease_s=3600), told))
    lab.close()
    asked = [
        (str(job_id), request("GET", f"/api/v1/jobs/{job_id}/events", token))
        for job_id, (token, _) in zip(job_ids, followed, strict=True)
    ]
    running = [(one.job_id, one.fence, one.owner_id) for one in claims if one is not None]
    found = asyncio.run(_measure(rig, asked, running, per_s, seconds))
    return {"streams": streams, **found}


async def _measure(
    rig: Rig, asked: list[tuple[str, bytes]], running: list[Run], per_s: float, seconds: float
) -> Figures:
    process, told, began = psutil.Process(rig.api.pid), Told(), time.monotonic()
    before = process.memory_info().rss
    listeners = await _open_all(rig.api.port, asked, told)
    await _soon(lambda: told.caught_up + len(told.errors) >= len(asked))
    first_s = time.monotonic() - began
    await asyncio.sleep(2)
    idle = process.memory_info().rss - before
    busy = sum(process.cpu_times()[:2])
    sent = await asyncio.to_thread(_tell_elsewhere, rig, running, per_s, seconds)
    busy = (sum(process.cpu_times()[:2]) - busy) / seconds
    await _soon(lambda: all(key in told.arrivals for key in sent))
    delays = [told.arrivals[key] - at for key, at in sent.items()]
    await _leave(listeners, process, rig.api.port)
    storm, began = Told(), time.monotonic()
    listeners = await _open_all(rig.api.port, asked, storm)
    await _soon(lambda: storm.snapshots + len(storm.errors) >= len(asked))
    storm_s = time.monotonic() - began
    after = process.memory_info().rss - before
    await _leave(listeners, process, rig.api.port)
    times, errors = list(sent.values()), told.errors + storm.errors
    return {
        "kB per idle stream (<= 25)": round(idle / 1024 / len(asked), 1),
        "kB per stream after the storm": round(after / 1024 / len(asked), 1),
        "all open for the first time, s": round(first_s, 2),
        "events per second": round(len(sent) / (max(times) - min(times)), 1),
        "event to client p50 ms": round(quantile(delays, 0.5) * 1000, 1),
        "event to client p99 ms (<= 50)": round(quantile(delays, 0.99) * 1000, 1),
        "event to client worst ms": round(max(delays) * 1000, 1),
        "share of a core that the API takes meanwhile": round(busy, 2),
        "all back with their snapshot, s": round(storm_s, 2),
        "errors": len(errors),
        **({"of them": sorted(set(errors))[:5]} if errors else {}),
    }


async def _leave(listeners: list[Listener], process: psutil.Process, port: int) -> None:
    """Hang up, all at once, and wait until the server has seen it."""
    for one in listeners:
        one.leave()

    def held() -> bool:
        found = process.net_connections("tcp4")
        return any(
            one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in found
        )

    await _soon(lambda: not held())


def _tell_elsewhere(
    rig: Rig, running: list[Run], per_s: float, seconds: float
) -> dict[tuple[str, int], float]:
    """`_tell` in a process of its own, so that writer and listeners do not wait for each other."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_tell, (rig.stores.valkey.url(), running, per_s, seconds))


def _tell(
    broker: str, running: list[Run], per_s: float, seconds: float
) -> dict[tuple[str, int], float]:
    """Write progress of running jobs on a fixed beat, with a hint as a worker gives it.

    Returns:
        When each event, by job and number, had been committed.
    """
    from core.broker import HINTS, write_hints
    from core.database import Database, Role, perform
    from core.settings import get_settings
    from services.jobs.running import progress

    database = Database(get_settings(), Role.ENGINE, pool_size=4)
    hints = redis.Redis.from_url(broker)
    sent: dict[tuple[str, int], float] = {}
    total = round(per_s * seconds)

    def one(number: int) -> None:
        job_id, fence, owner_id = running[number % len(running)]
        body = {"fraction": number / total, "stage": "bench", "message": "", "data": {}}
        with database.transaction() as session:
            seq = perform(session, progress(job_id, fence, body))
        assert seq is not None
        sent[str(job_id), seq] = time.time()
        hints.publish(HINTS, write_hints([(job_id, owner_id)]))

    began = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        for number in range(total):
            time.sleep(max(0.0, began + number / per_s - time.perf_counter()))
            pool.submit(one, number)
    database.dispose()
    return sent

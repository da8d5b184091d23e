"""A load generator on bare sockets: cheap enough to share two cores with what it measures."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Sample:
    """What a storm of requests met. Latencies run from client send to first line of the body."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def per_s(self) -> float:
        return len(self.latencies_s) / self.seconds if self.seconds else 0.0

    def quantile_ms(self, q: float) -> float:
        return quantile(self.latencies_s, q) * 1000


def quantile(values: list[float], q: float) -> float:
    """The value that a share `q` of the values does not exceed (nearest rank)."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(q * len(ordered)) - 1))]


def request(method: str, path: str, token: str | None = None, body: Any = None) -> bytes:
    """The bytes of an HTTP/1.1 request."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(content)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, content: bytes) -> tuple[int, bytes, float]:
        """Send a request; its status, body, and seconds until the body began."""
        began = time.perf_counter()
        self._writer.write(content)
        head = await self._reader.readuntil(b"\r\n\r\n")
        taken = time.perf_counter() - began
        status = int(head[9:12])
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        body = await self._reader.readexactly(length) if length else b""
        return status, body, taken

    async def close(self) -> None:
        self._writer.close()


async def closed_loop(
    port: int, make: Callable[[], bytes], *, connections: int, seconds: float
) -> Sample:
    """Each connection sends the next request when the last was answered."""
    sample = Sample()
    end = time.perf_counter() + seconds

    async def work() -> None:
        connection = await Connection.open(port)
        while time.perf_counter() < end:
            status, _, taken = await connection.ask(make())
            if status < 300:
                sample.latencies_s.append(taken)
            else:
                sample.errors += 1
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    sample.seconds = time.perf_counter() - began
    return sample


async def open_loop(
    port: int, make: Callable[[], bytes], *, per_s: float, seconds: float, connections: int = 32
) -> Sample:
    """Requests start on a fixed beat; one that waits for a connection waits on the clock too."""
    sample = Sample()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await Connection.open(port))
    pending: set[asyncio.Task[None]] = set()

    async def one(due: float) -> None:
        connection = await free.get()
        status, _, _ = await connection.ask(make())
        free.put_nowait(connection)
        if status < 300:
            sample.latencies_s.append(time.perf_counter() - due)
        else:
            sample.errors += 1

    began = time.perf_counter()
    for number in range(round(per_s * seconds)):
        due = began + number / per_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(due))
        pending.add(task)
        task.add_done_callback(pending.discard)
    while pending:
        await asyncio.wait(pending)
    sample.seconds = time.perf_counter() - began
    while not free.empty():
        await free.get_nowait().close()
    return sample

"""Queues in Postgres that others wrote, as they recommend: `python -m bench.peers NAME`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Protocol

import asyncpg
import redis.asyncio as redis
from pgqueuer import PgQueuer
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from procrastinate import App, PsycopgConnector

#: What each worker may have under way.
CONCURRENCY = 8
STARTS = "bench:starts"


async def tell(sent_at: float | None) -> None:
    """Write down how long it took to get here."""
    if sent_at is not None:
        waited = time.time() - sent_at
        client = redis.Redis.from_url(os.environ["BENCH_STARTS"])
        await client.rpush(STARTS, waited)
        await client.aclose()


class Peer(Protocol):
    """A queue: made, fed and served."""

    async def prepare(self) -> None: ...

    async def send(self, count: int) -> None:
        """Jobs that do nothing, as many at once as the peer can take."""
        ...

    async def send_one(self) -> None:
        """A job that tells when it began."""
        ...

    async def serve(self) -> None: ...

    async def left(self) -> int:
        """How many jobs have not ended."""
        ...


class Procrastinate:
    """One connection pool, LISTEN/NOTIFY, asynchronous tasks: as its guide has it."""

    def __init__(self, dsn: str) -> None:
        self.app = App(connector=PsycopgConnector(conninfo=dsn, max_size=CONCURRENCY + 2))
        self.noop = self.app.task(name="noop")(_noop)
        self.told = self.app.task(name="told")(_told)

    async def prepare(self) -> None:
        async with self.app.open_async():
            await self.app.schema_manager.apply_schema_async()

    async def send(self, count: int) -> None:
        await self.noop.batch_defer_async(*({} for _ in range(count)))

    async def send_one(self) -> None:
        await self.told.defer_async(sent_at=time.time())

    async def serve(self) -> None:
        async with self.app.open_async():
            await self.app.run_worker_async(concurrency=CONCURRENCY)

    async def left(self) -> int:
        row = await self.app.connector.execute_query_one_async(
            "SELECT count(*) AS n FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        )
        return int(row["n"])


async def _noop() -> None:
    """Does nothing, well."""


async def _told(sent_at: float) -> None:
    await tell(sent_at)


class PgQueue:
    """An asyncpg pool and batches of ten, its defaults."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.pool: asyncpg.Pool | None = None

    async def queries(self) -> Queries:
        self.pool = self.pool or await asyncpg.create_pool(
            self.dsn, min_size=2, max_size=CONCURRENCY
        )
        return Queries.from_asyncpg_pool(self.pool)

    async def prepare(self) -> None:
        await (await self.queries()).install()

    async def send(self, count: int) -> None:
        await (await self.queries()).enqueue(["noop"] * count, [None] * count, [0] * count)

    async def send_one(self) -> None:
        await (await self.queries()).enqueue("told", json.dumps(time.time()).encode())

    async def serve(self) -> None:
        await self.queries()
        assert self.pool is not None
        queue = PgQueuer.from_asyncpg_pool(self.pool)

        @queue.entrypoint("noop", concurrency_limit=CONCURRENCY)
        async def noop(job: Job) -> None: ...

        @queue.entrypoint("told", concurrency_limit=CONCURRENCY)
        async def told(job: Job) -> None:
            assert job.payload is not None
            await tell(float(json.loads(job.payload)))

        await queue.run()

    async def left(self) -> int:
        await self.queries()
        assert self.pool is not None
        return int(await self.pool.fetchval("SELECT count(*) FROM pgqueuer"))


PEERS = {"Procrastinate": Procrastinate, "PgQueuer": PgQueue}


def main(arguments: Sequence[str]) -> None:
    peer: Peer = PEERS[arguments[0]](os.environ["BENCH_PEERS"])
    asyncio.run(peer.serve())


if __name__ == "__main__":
    main(sys.argv[1:])

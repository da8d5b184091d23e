"""Sections beside other queues: durable jobs that do nothing, and a minute of submits."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import redis

from bench.load import closed_loop, quantile, request
from bench.rig import TRIP, Rig
from core.kind import Lane
from tests import stack
from tests.stack import Child, until

Figures = dict[str, Any]
#: Jobs that wait when the worker begins.
BACKLOG = 1500
#: Jobs sent one by one to an idle worker, so far apart.
SINGLES, APART_S = 100, 0.04
STARTS = "bench:starts"


def minute(rig: Rig, seconds: float = 60) -> Figures:
    """(i) Submits for a minute at 16 connections, ours and the plain peer's."""
    token, plain_port = rig.token(), rig.plain()
    own = request("POST", "/api/v1/routes", token, TRIP)
    plain = request("POST", "/jobs", None, {"payload": TRIP})

    def storm(port: int, content: bytes, length: float) -> Figures:
        made = asyncio.run(closed_loop(port, lambda: content, connections=16, seconds=length))
        return {
            "per_s": round(made.per_s, 1),
            "p50_ms": round(made.quantile_ms(0.5), 1),
            "p99_ms": round(made.quantile_ms(0.99), 1),
            "errors": made.errors,
            "answered": len(made.latencies_s),
        }

    for port, content in ((rig.api.port, own), (plain_port, plain)):
        storm(port, content, 1)
    us, them = storm(rig.api.port, own, seconds), storm(plain_port, plain, seconds)
    return {
        "ours": us,
        "plain FastAPI + delay()": them,
        "throughput ratio": round(us["per_s"] / them["per_s"], 2),
        "p99 ratio": round(us["p99_ms"] / them["p99_ms"], 2),
    }


def durable(rig: Rig) -> Figures:
    """(j) Jobs that do nothing at concurrency 8: Procrastinate, PgQueuer, Celery beside us.

    Drained: so many wait when a worker begins; from the first end seen to the last. Started:
    one at a time to an idle worker, from before the submit to the first line of the body.
    """
    found: dict[str, Figures] = {
        "ours, compute (8 processes)": _ours(rig, Lane.COMPUTE),
        "ours, io (8 threads)": _ours(rig, Lane.IO),
    }
    rig.clear()
    for name in ("Procrastinate", "PgQueuer"):
        found[name] = _peer(rig, name)
    found["bare Celery (8 processes, not durable)"] = _celery(rig)
    best = max(found[name]["jobs per s"] for name in ("Procrastinate", "PgQueuer"))
    ours = max(figures["jobs per s"] for name, figures in found.items() if "ours" in name)
    return found | {"ratio to the best durable peer (>= 1)": round(ours / best, 2)}


def _drained(left: Callable[[], int]) -> float:
    """Jobs a second, between the first look that finds one ended and the last."""
    until(lambda: left() < BACKLOG, 30, 0.01)
    began, first = time.monotonic(), left()
    until(lambda: left() == 0, 120, 0.01)
    return first / (time.monotonic() - began)


def _told(rig: Rig, send: Callable[[], None]) -> Figures:
    """The latencies that the bodies of single jobs tell."""
    results = redis.Redis.from_url(rig.stores.valkey.url(database=2))
    results.delete(STARTS)
    for number in range(SINGLES):
        send()
        until(lambda n=number: results.llen(STARTS) == n + 1, 10, APART_S)  # type: ignore[misc]
    waits = [float(value) for value in results.lrange(STARTS, 10, -1)]  # type: ignore[union-attr]
    return {
        "p50 ms": round(quantile(waits, 0.5) * 1000, 1),
        "p99 ms": round(quantile(waits, 0.99) * 1000, 1),
    }


def _environment(rig: Rig) -> dict[str, str]:
    return {
        "BENCH_STARTS": rig.stores.valkey.url(database=2),
        "BENCH_PEERS": rig.stores.postgres.dsn("postgres"),
    }


def _ours(rig: Rig, lane: Lane) -> Figures:
    os.environ.update(rig.stores.env())
    from bench.work import OF_LANE
    from core.database import perform
    from services.jobs.submit import NewJob, submit
    from services.publisher import CeleryBroker, Publisher, publish_admitted
    from tests.lab import Lab

    rig.clear()
    lab = Lab(rig.stores)
    with rig.stores.sql() as connection:
        connection.execute("DELETE FROM workers")
    owners = [lab.make_user() for _ in range(10)]

    def new(sent_at: float | None = None) -> NewJob:
        return NewJob(OF_LANE[lane], {"sent_at": sent_at})

    for owner in owners:
        with lab.app.transaction(owner) as session:
            for _ in range(BACKLOG // len(owners)):
                perform(session, submit(owner, new()))
    worker = stack.worker(rig.stores, lane, slots=8, app="bench.work", env=_environment(rig))
    publisher = Publisher(lab.engine, lambda: CeleryBroker(rig.stores.valkey.url()))
    try:
        stack.entered(rig.stores, worker)
        broker = CeleryBroker(rig.stores.valkey.url())
        publish_admitted(lab.engine, broker, lane)
        broker.close()
        with rig.stores.sql() as connection:
            per_s = _drained(
                lambda: connection.execute(  # type: ignore[index]
                    "SELECT count(*) FROM jobs WHERE finished_at IS NULL"
                ).fetchone()[0]
            )

        def one() -> None:
            steps = submit(owners[0], new(time.time()), admit=True)
            message = lab.as_owner(owners[0], steps).message
            assert message is not None
            publisher.admitted(message)

        return {"jobs per s": round(per_s, 1), **_told(rig, one)}
    finally:
        publisher.close()
        worker.kill()
        lab.close()


def _peer(rig: Rig, name: str) -> Figures:
    from bench.peers import PEERS

    dsn = _environment(rig)["BENCH_PEERS"]
    os.environ.update(_environment(rig))

    async def run() -> Figures:
        peer: Any = PEERS[name](dsn)
        await peer.prepare()
        opened = getattr(peer, "app", None)
        if opened is not None:
            await opened.open_async()
        await peer.send(BACKLOG)
        command = [sys.executable, "-m", "bench.peers", name]
        worker = Child(name, command, _environment(rig), rig.api.log.parent)
        loop = asyncio.get_running_loop()

        def ask(coroutine: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

        try:
            per_s = await asyncio.to_thread(_drained, lambda: ask(peer.left()))
            told = await asyncio.to_thread(_told, rig, lambda: ask(peer.send_one()))
        finally:
            worker.kill()
            if opened is not None:
                await opened.close_async()
        return {"jobs per s": round(per_s, 1), **told}

    return asyncio.run(run())


def _celery(rig: Rig) -> Figures:
    from celery import Celery

    url = rig.stores.valkey.url(database=1)
    sender, queue = Celery(broker=url), redis.Redis.from_url(url)
    for number in range(BACKLOG):
        sender.send_task("plain.work", [str(number)], queue="plain")
    command = [sys.executable, "-m", "celery", "-A", "bench.plain:celery_app", "worker", "-c", "8"]
    command += ["-n", "bare@test", "--without-mingle", "--without-gossip", "--loglevel", "WARNING"]
    environment = rig.plain_env() | {"PLAIN_STARTS": _environment(rig)["BENCH_STARTS"]}
    worker = Child("bare", command, environment, rig.api.log.parent)
    try:
        per_s = _drained(lambda: int(queue.llen("plain") + queue.hlen("unacked")))  # type: ignore[operator]

        def one() -> None:
            sender.send_task("plain.told", [time.time()], queue="plain")

        return {"jobs per s": round(per_s, 1), **_told(rig, one)}
    finally:
        worker.kill()
        sender.close()

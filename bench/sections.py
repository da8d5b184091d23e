"""The sections of `make bench`: each measures one promise and answers with its figures."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from typing import Any

import redis

from bench.load import Connection, Sample, closed_loop, open_loop, quantile, request
from bench.rig import TRIP, Rig
from bench.streams import event_streams
from tests.stack import Child, until

CONNECTIONS = 16
STARTED = """SELECT extract(epoch FROM min(at)) FROM job_events
WHERE job_id = %s AND type = 'job.started'"""
ENDED = "SELECT finished_at IS NOT NULL FROM jobs WHERE id = %s"
#: What a single job is left alone for. Seconds.
PAUSE_S = 0.06
#: Jobs of one side before it is the other's turn.
TURN = 20

Figures = dict[str, Any]


def _figures(sample: Sample) -> Figures:
    return {
        "per_s": round(sample.per_s, 1),
        "p50_ms": round(sample.quantile_ms(0.5), 2),
        "p99_ms": round(sample.quantile_ms(0.99), 2),
        "errors": sample.errors,
    }


def _median(rounds: list[Figures]) -> Figures:
    return {key: round(statistics.median(each[key] for each in rounds), 2) for key in rounds[0]}


def submits(rig: Rig, seconds: float = 5, rounds: int = 3) -> Figures:
    """(a) Submits at 16 connections, ours and the peer's by turns; medians of the rounds.

    No worker runs on either side. The peer puts every message into the broker; we put there
    what the lane has room for, and then once more with room for all.
    """
    token, plain_port = rig.token(), rig.plain()
    own = request("POST", "/api/v1/routes", token, TRIP)
    plain = request("POST", "/jobs", None, {"payload": TRIP})

    def storm(port: int, content: bytes, length: float = seconds) -> Figures:
        return _figures(
            asyncio.run(closed_loop(port, lambda: content, connections=CONNECTIONS, seconds=length))
        )

    def turns() -> tuple[Figures, Figures]:
        storm(rig.api.port, own, 1)  # connections, prepared statements, caches
        storm(plain_port, plain, 1)
        pairs = [(storm(rig.api.port, own), storm(plain_port, plain)) for _ in range(rounds)]
        return _median([us for us, _ in pairs]), _median([them for _, them in pairs])

    us, them = turns()
    rig.clear()
    rig.pretend_workers()
    us_all, them_all = turns()
    return {
        "ours": us,
        "plain FastAPI + delay()": them,
        "throughput ratio (>= 1.5)": round(us["per_s"] / them["per_s"], 2),
        "p99 ratio (<= 0.8)": round(us["p99_ms"] / them["p99_ms"], 2),
        "ours, every job published": us_all,
        "plain again": them_all,
        "throughput ratio, all published": round(us_all["per_s"] / them_all["per_s"], 2),
    }


def frozen_broker(rig: Rig, seconds: float = 6) -> Figures:
    """(b) Submits at a fixed rate, with the broker well and with the broker stopped."""
    token = rig.token()
    content = request("POST", "/api/v1/routes", token, TRIP)

    def storm() -> Figures:
        return _figures(
            asyncio.run(open_loop(rig.api.port, lambda: content, per_s=100, seconds=seconds))
        )

    storm()
    usual = storm()
    rig.stores.valkey.pause()
    try:
        frozen = storm()
    finally:
        rig.stores.valkey.resume()
    ratio = frozen["p99_ms"] / usual["p99_ms"]
    return {"usual": usual, "frozen": frozen, "p99 ratio (<= 1.2)": round(ratio, 2)}


def start_latency(rig: Rig, count: int = 200) -> Figures:
    """(c) From the submit to the start of the run, one job at a time, beside bare Celery.

    Both are left alone meanwhile: whoever looks every few milliseconds measures the looking.
    """
    token = rig.token()
    rig.worker()
    submit = request("POST", "/api/v1/routes", token, TRIP)

    rig.plain_worker()
    from celery import Celery

    url = rig.stores.valkey.url(database=1)
    sender, results = Celery(broker=url), redis.Redis.from_url(url)

    async def ours(number: int) -> list[float]:
        connection, sent = await Connection.open(rig.api.port), dict[str, float]()
        for _ in range(number):
            began = time.time()
            _, body, _ = await connection.ask(submit)
            job_id = body.split(b'"id":"')[1][:36].decode()
            sent[job_id] = began
            await asyncio.sleep(PAUSE_S)
            until(lambda one=job_id: rig.stores.one(ENDED, one), 10, PAUSE_S)  # type: ignore[misc]
        await connection.close()
        return [float(rig.stores.one(STARTED, job_id)) - at for job_id, at in sent.items()]

    def theirs(number: int) -> list[float]:
        results.delete("plain:starts")
        for sent in range(number):
            sender.send_task("plain.started", [time.time()], queue="plain")
            time.sleep(PAUSE_S)
            until(lambda n=sent: results.llen("plain:starts") == n + 1, 10, PAUSE_S)  # type: ignore[misc]
        return [float(value) for value in results.lrange("plain:starts", 0, -1)]  # type: ignore[union-attr]

    mine, bare = list[float](), list[float]()
    for turn in range(1 + count // TURN):  # by turns: the machine is never the same for long
        pair = asyncio.run(ours(TURN)), theirs(TURN)
        if turn:  # the first warms up
            mine, bare = mine + pair[0], bare + pair[1]
    sender.close()
    return {
        "ours p50 ms": round(quantile(mine, 0.5) * 1000, 2),
        "ours p99 ms (<= 50)": round(quantile(mine, 0.99) * 1000, 2),
        "bare Celery p50 ms": round(quantile(bare, 0.5) * 1000, 2),
        "bare Celery p99 ms": round(quantile(bare, 0.99) * 1000, 2),
        "p50 ratio (<= 3)": round(quantile(mine, 0.5) / quantile(bare, 0.5), 2),
    }


def standard_requests(rig: Rig, seconds: float = 10) -> Figures:
    """(d) Reads and writes of a frontend at 100 requests a second. Target: p99 under 200 ms."""
    token = rig.token()

    async def made() -> bytes:
        connection = await Connection.open(rig.api.port)
        _, body, _ = await connection.ask(request("POST", "/api/v1/routes", token, TRIP))
        await connection.close()
        return body.split(b'"id":"')[1][:36]

    job_id = asyncio.run(made()).decode()
    kinds = {
        "GET job": request("GET", f"/api/v1/jobs/{job_id}", token),
        "GET jobs": request("GET", "/api/v1/jobs?page_size=20", token),
        "GET me": request("GET", "/api/v1/auth/me", token),
        "POST cancel": request("POST", f"/api/v1/jobs/{job_id}/cancel", token),
    }
    return {
        name: _figures(
            asyncio.run(
                open_loop(rig.api.port, lambda c=content: c, per_s=100, seconds=seconds / 2)  # type: ignore[misc]
            )
        )
        for name, content in kinds.items()
    }


def recovery(rig: Rig, times: int = 20) -> Figures:
    """(f) From a kill -9 to the next start: of the child that works, of the worker, the broker."""
    from tests.faults.kinds import NAP
    from tests.lab import Lab

    os.environ.update(rig.stores.env())
    rig.housekeeping()
    lab = Lab(rig.stores)
    owner = lab.make_user()
    worker = rig.worker(app="tests.faults.app", name="bench")

    def attempt(job_id: Any, number: int) -> None:
        until(
            lambda: rig.stores.one(
                "SELECT status = 'running' AND attempt = %s FROM jobs WHERE id = %s", number, job_id
            ),
            60,
            0.005,
        )

    def once(kill: Any) -> float:
        job_id = lab.submit(owner, NAP, seconds=60).job_id
        attempt(job_id, 1)
        began = time.monotonic()
        kill(job_id)
        attempt(job_id, 2)
        taken = time.monotonic() - began
        from services.jobs import requests

        lab.as_owner(owner, requests.cancel(owner, job_id, keep_days=1))
        until(lambda: lab.status(job_id) == "cancelled", 20)
        return taken

    def child(job_id: Any) -> None:
        os.kill(
            rig.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", job_id), signal.SIGKILL
        )

    def whole(_: Any, victim: Child = worker) -> None:
        victim.restart()

    def broker() -> float:
        """From its death, with all it held, to the start of a job that came meanwhile."""
        rig.stores.valkey.kill()
        began = time.monotonic()
        job_id = lab.submit(owner, NAP, seconds=0.01).job_id
        rig.stores.valkey.start()

        def done() -> bool:
            if worker.process.poll() is not None:
                worker.start()  # as the supervisor does
            return bool(lab.status(job_id) == "succeeded")

        until(done, 60, 0.01)
        return time.monotonic() - began

    children = [once(child) for _ in range(times)]
    workers = [once(whole) for _ in range(times)]
    losses = [broker() for _ in range(times)]
    lab.close()
    return {
        "child: median s": round(statistics.median(children), 2),
        "child: worst s (<= 45)": round(max(children), 2),
        "worker, restarted: median s": round(statistics.median(workers), 2),
        "worker, restarted: worst s (<= 45)": round(max(workers), 2),
        "broker: median s": round(statistics.median(losses), 2),
        "broker: worst s (<= 45)": round(max(losses), 2),
        "times each": times,
    }


SECTIONS = {
    "a": submits,
    "b": frozen_broker,
    "c": start_latency,
    "d": standard_requests,
    "e": event_streams,
    "f": recovery,
}

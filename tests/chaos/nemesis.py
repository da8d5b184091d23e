"""Carries out the faults of a schedule against the stage, and heals each in its time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil
import psycopg
import redis
from celery import Celery
from kombu.exceptions import KombuError

from local.server import ServerDidNotStart
from tests.chaos.schedule import Fault
from tests.chaos.stage import Post, Stage
from tests.stack import entered

#: How long a deploy waits for a process to end before it is killed. Seconds.
END_S = 15.0
UNABLE = (
    OSError,
    subprocess.TimeoutExpired,
    IndexError,
    AssertionError,
    psutil.Error,
    psycopg.Error,
    redis.RedisError,
    KombuError,
    ServerDidNotStart,
)

RESCUED = """
SELECT EXISTS (SELECT FROM job_attempts a JOIN workers w ON w.id = a.worker_id
               WHERE w.name = %(worker)s AND a.outcome = 'lost')
"""
#: Work that the frozen have taken and are not just ending: what they have locked, nobody rescues.
CAUGHT = """
SELECT FROM job_runs r JOIN workers w ON w.id = r.worker_id
WHERE w.name = %(worker)s AND r.lease_until IS NOT NULL FOR UPDATE OF r SKIP LOCKED
"""
#: What a fault of a short campaign waits for, so that it never strikes an idle stage.
RIPE = {
    "runs": """
SELECT EXISTS (SELECT FROM job_runs r JOIN workers w ON w.id = r.worker_id
               WHERE w.name = %(worker)s AND r.lease_until > now())
""",
    # more than the four that a short campaign's workers have fetched ahead: the broker has some
    "published": """
SELECT count(*) >= 6 FROM jobs WHERE status = 'queued' AND admitted_at IS NOT NULL
""",
}


@dataclass
class Struck:
    """A fault as it happened; times by the clock of the machine, seconds."""

    fault: Fault
    began: float
    ended: float | None = None
    #: What could not be done as planned: a store that was away, nobody there to strike.
    note: str = ""


class Nemesis:
    """One thread per fault: they overlap, as troubles do."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._rng = random.Random(seed)
        self._over = threading.Event()
        self.struck: list[Struck] = []

    def begin(self, schedule: Sequence[Fault]) -> threading.Thread:
        """Strike from now on; the thread that is answered ends when all is healed."""
        thread = threading.Thread(target=self._carry_out, args=(schedule, time.monotonic()))
        thread.start()
        return thread

    def _carry_out(self, schedule: Sequence[Fault], began: float) -> None:
        threads = []
        for fault in schedule:
            if self._over.wait(max(0.0, began + fault.at_s - time.monotonic())):
                break
            thread = threading.Thread(target=self._strike, args=(fault,), name=fault.name)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Strike no more, and heal at once what lasts."""
        self._over.set()

    def _strike(self, fault: Fault) -> None:
        if fault.ripe:
            self._until(RIPE[fault.ripe], f"{fault.target}@test", 30.0)
        struck = Struck(fault, time.time())
        self.struck.append(struck)
        act: Callable[[Fault], None] = getattr(self, f"_{fault.name}")
        try:
            act(fault)
        except UNABLE as error:
            # another fault has the same victim, or the store that this one needs
            struck.note = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        struck.ended = time.time()

    def _until(self, query: str, worker: str, within_s: float) -> None:
        """Wait until the query about a worker says so, or the time is over."""
        give_up_at = time.monotonic() + within_s
        while time.monotonic() < give_up_at and not self._over.wait(0.05):
            with self._stage.stores.sql() as connection:
                row = connection.execute(query, {"worker": worker}).fetchone()
            if row and row[0]:
                return

    def _wait(self, fault: Fault) -> None:
        self._over.wait(fault.lasts_s)

    def _post(self, fault: Fault) -> Post:
        return self._stage.posts[fault.target]

    def _kill_child(self, fault: Fault) -> None:
        os.kill(self._rng.choice(self._post(fault).child.children()), signal.SIGKILL)

    def _kill_worker(self, fault: Fault) -> None:
        self._post(fault).child.signal_group(signal.SIGKILL)

    _kill_process = _kill_worker

    def _kill_parent(self, fault: Fault) -> None:
        post = self._post(fault)
        with post.held:
            os.kill(post.child.pid, signal.SIGKILL)
            post.child.process.wait(10)
            self._wait(fault)

    def _freeze_worker(self, fault: Fault) -> None:
        # its supervisor may replace it meanwhile, so the group is remembered
        group = self._post(fault).child.pid
        os.killpg(group, signal.SIGSTOP)
        self._wait(fault)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGCONT)

    _freeze_process = _freeze_worker

    def _freeze_until_rescued(self, fault: Fault) -> None:
        """What it ran is given to somebody else, if anybody does that; only then it wakes up."""
        group = self._post(fault).child.pid
        while not self._caught(group, f"{fault.target}@test") and not self._over.wait(0.05):
            os.killpg(group, signal.SIGCONT)
        self._until(RESCUED, f"{fault.target}@test", fault.lasts_s)
        os.killpg(group, signal.SIGCONT)

    def _caught(self, group: int, worker: str) -> bool:
        """Freeze a worker; whether it was at work."""
        os.killpg(group, signal.SIGSTOP)
        with self._stage.stores.sql() as connection:
            return connection.execute(CAUGHT, {"worker": worker}).fetchone() is not None

    def _freeze_child(self, fault: Fault) -> None:
        child = self._rng.choice(self._post(fault).child.children())
        os.kill(child, signal.SIGSTOP)
        self._wait(fault)
        os.kill(child, signal.SIGCONT)

    def _restart_api(self, fault: Fault) -> None:
        """As a deploy does: SIGTERM, and again."""
        self._replace(self._post(fault), END_S)

    def _rolling_restart(self, _fault: Fault) -> None:
        for post in self._stage.workers():
            if self._over.is_set():
                return
            # one that is frozen hears nothing, and is killed when the time is over
            with suppress(subprocess.TimeoutExpired):
                self._replace(post, END_S)
            with suppress(*UNABLE):
                entered(self._stage.stores, post.child)

    def _replace(self, post: Post, within_s: float) -> None:
        with post.held:
            try:
                post.child.stop(within_s)
            finally:
                self._stage.start(post)

    def _kill_broker(self, fault: Fault) -> None:
        valkey = self._stage.stores.valkey
        valkey.kill()
        self._wait(fault)
        valkey.start()

    def _flush_broker(self, _fault: Fault) -> None:
        with redis.Redis.from_url(self._stage.stores.valkey.url(), socket_timeout=5) as broker:
            broker.flushall()

    def _freeze_broker(self, fault: Fault) -> None:
        valkey = self._stage.stores.valkey
        valkey.pause()
        self._wait(fault)
        valkey.resume()

    def _silence_wire(self, fault: Fault) -> None:
        wire = self._stage.wires[fault.target]
        wire.silence()
        self._wait(fault)
        wire.heal()

    def _slow_wire(self, fault: Fault) -> None:
        wire = self._stage.wires[fault.target]
        wire.delay(0.1)
        self._wait(fault)
        wire.delay(0)

    def _cut_wire(self, fault: Fault) -> None:
        self._stage.wires[fault.target].cut()

    def _restart_postgres(self, fault: Fault) -> None:
        postgres = self._stage.stores.postgres
        postgres.stop(20)
        self._wait(fault)
        postgres.start(60)

    def _crash_postgres(self, fault: Fault) -> None:
        postgres = self._stage.stores.postgres
        postgres.kill()
        self._wait(fault)
        postgres.start(60)

    def _terminate_backends(self, _fault: Fault) -> None:
        with self._stage.stores.sql() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename IN ('wheels_app', 'wheels_engine')"
            )

    def _deliver_again(self, _fault: Fault) -> None:
        """Messages of jobs that wait, run or have ended: of the present attempt, and the last."""
        query = "SELECT id, kind, lane, attempt FROM jobs ORDER BY id DESC LIMIT 8"
        with self._stage.stores.sql() as connection:
            jobs = connection.execute(query).fetchall()
        sender = Celery(broker=self._stage.stores.valkey.url())
        sender.conf.broker_transport_options = {
            "global_keyprefix": "wheels:",
            "socket_timeout": 2,
            "max_retries": 0,
        }
        with sender.connection_for_write() as broker, broker.Producer() as producer:
            for job_id, kind, lane, attempt in jobs:
                for number in (attempt, attempt, attempt - 1):
                    body = {"job_id": str(job_id), "attempt": max(0, number)}
                    sender.send_task(kind, kwargs=body, queue=lane, producer=producer, retry=False)
        sender.close()

    def _fill_disk(self, fault: Fault) -> None:
        self._stage.disk.fill()
        self._wait(fault)
        self._stage.disk.empty()

"""The worker's parent process: beats, buries children that died, announces a drain."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from uuid import UUID

import psutil

from core.database import Database, Role, perform
from core.kind import Lane
from core.log import log
from core.settings import Settings
from services.jobs import counters, fleet
from services.jobs.repair import rescue

#: How often children are counted. Seconds.
LOOK_EVERY_S = 0.5
#: How often the incarnation says that it lives. Seconds.
BEAT_EVERY_S = 5.0
#: So often within `stalled_worker_s` it is looked whether messages are ignored.
LOOKS_TO_BE_SURE = 5
#: A stalled worker is given so long to end in order: runs need some to be given back. Seconds.
END_PATIENCE_S = 15.0
#: Exit code of one that did not.
STALLED = 75


class Foreman:
    """One per worker parent. Its connections are opened per use: children are forked beside it."""

    def __init__(
        self, settings: Settings, worker_id: UUID, name: str, lane: Lane, slots: int
    ) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._name = name
        self._lane = lane
        self._slots = slots
        self._database = Database(settings, Role.ENGINE, pool_size=0)
        self._children: set[int] = set()
        self._buried: set[int] = set()
        self._draining = threading.Event()
        self._took_at = time.monotonic()
        self._ignoring_since: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="foreman", daemon=True)

    def enter(self) -> None:
        """Register the incarnation; its predecessors are dead, and what they held is freed."""
        with self._database.transaction() as session:
            perform(session, fleet.enter(self._worker_id, self._name, self._lane, self._slots))
        self._rescue()
        log.info("worker_entered", worker=self._name, lane=self._lane, slots=self._slots)

    def start(self) -> None:
        """Begin to look after the children, which have been born by now."""
        self._children, self._buried = _children()
        self._thread.start()

    def drain(self) -> None:
        """Called by a signal handler: only sets a flag."""
        self._draining.set()

    def took(self) -> None:
        """A message has come, whatever becomes of it: this worker consumes."""
        self._took_at = time.monotonic()

    def leave(self) -> None:
        """Sign off; whatever is still held is free at once."""
        self._ended.set()
        with suppress(Exception), self._database.transaction() as session:
            perform(session, fleet.leave(self._worker_id))
        with suppress(Exception):
            self._rescue()

    def _serve(self) -> None:
        waited, looked, announced = BEAT_EVERY_S, 0.0, False
        while not self._ended.wait(LOOK_EVERY_S):
            waited, looked = waited + LOOK_EVERY_S, looked + LOOK_EVERY_S
            try:
                if self._draining.is_set() and not announced:
                    with self._database.transaction() as session:
                        perform(session, fleet.drain(self._worker_id))
                    announced = True
                self._bury_the_dead()
                if waited >= BEAT_EVERY_S:
                    self._beat()
                    waited = 0.0
                if looked >= self._settings.stalled_worker_s / LOOKS_TO_BE_SURE:
                    self._look_for_a_stall()
                    looked = 0.0
            except Exception as error:
                log.warning("foreman_round_failed", error=repr(error))

    def _beat(self) -> None:
        with self._database.transaction(durable=False) as session:
            orders = perform(session, fleet.beat(self._worker_id, self._slots))
        if orders is None:
            # a successor of our name has entered, so nothing can be claimed here any more
            log.error("worker_superseded", worker=self._name)
            os.kill(os.getpid(), signal.SIGTERM)
        elif orders is fleet.Orders.DRAIN and not self._draining.is_set():
            log.info("worker_told_to_drain", worker=self._name)
            os.kill(os.getpid(), signal.SIGTERM)
        self._bury_the_unseen()

    def _look_for_a_stall(self) -> None:
        """Restart where messages wait, slots are idle, and for long enough not one has come.

        A worker whose connection to the broker is half-open, or whose consumer was cancelled,
        is alive by every other sign. One that is calm has no messages that wait; one that is
        busy has no idle slots, and takes the next message long before this is over.
        """
        with self._database.transaction(durable=False) as session:
            ignores = perform(
                session, fleet.ignores_messages(self._worker_id, self._lane, self._slots)
            )
        if not ignores or self._draining.is_set():
            self._ignoring_since = None
            return
        now = time.monotonic()
        since = self._ignoring_since or now
        self._ignoring_since = since = max(since, self._took_at)
        if now - since < self._settings.stalled_worker_s:
            return
        log.error("worker_stalled", worker=self._name, seconds=round(now - since, 1))
        with suppress(Exception), self._database.transaction() as session:
            perform(session, counters.count(counters.WORKERS_STALLED))
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Thread(target=self._insist, name="insist", daemon=True).start()

    def _insist(self) -> None:
        """A consumer that is stuck may not even end; leases free what it held."""
        if not self._ended.wait(min(END_PATIENCE_S, 5 * self._settings.stalled_worker_s)):
            log.error("worker_does_not_end", worker=self._name)
            for child in self._children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os._exit(STALLED)

    def _bury_the_unseen(self) -> None:
        """A child may live, claim, die and be reaped between two looks: only its lease is left."""
        with self._database.transaction(durable=False) as session:
            listed_at = perform(session, fleet.clock())
        living = _children()[0] | {os.getpid()}
        with self._database.transaction() as session:
            unseen = perform(session, fleet.bury_unseen(self._worker_id, living, listed_at))
        if unseen:
            self._rescue()

    def _bury_the_dead(self) -> None:
        living, zombies = _children()
        # a child may live and die between two looks; Celery reaps its zombie seconds later
        dead = (self._children - living) | (zombies - self._buried)
        self._children, self._buried = living, zombies
        if dead:
            with self._database.transaction() as session:
                perform(session, fleet.bury(self._worker_id, dead))
            self._rescue()

    def _rescue(self) -> None:
        with self._database.transaction() as session:
            freed = perform(session, rescue(keep_days=self._settings.keep_jobs_days))
        if freed:
            log.warning("jobs_rescued", count=len(freed))


def _children() -> tuple[set[int], set[int]]:
    """Process ids of this process's children: those that live, and the zombies."""
    living, zombies = set[int](), set[int]()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            dead = child.status() == psutil.STATUS_ZOMBIE
            (zombies if dead else living).add(child.pid)
    return living, zombies

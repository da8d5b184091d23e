"""One thread per worker process: keeps leases, reads orders, logs progress of all its runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from core.broker import Grown
from core.children import Child, ChildOutcome
from core.database import Database, Steps, perform, store_is_away
from core.kind import CHECKPOINT_MAX, Progress, RunStopped
from core.log import log
from core.settings import Settings
from services.jobs import checkpoints, running
from services.jobs.claim import Claimed
from tasks.family import Family
from tasks.files import Files

#: How often orders (cancel, finish, deadline, drain) are read. Seconds.
ORDERS_EVERY_S = 1.0
#: Progress of one run is logged at most so often. Seconds.
PROGRESS_EVERY_S = 0.2
#: The checkpoint of one run is written at most so often, and never earlier: a run that is over
#: by then has lost nothing worth a write. Seconds.
CHECKPOINT_EVERY_S = 1.0
#: A draining worker lets a run go on so long before it is given back. Seconds.
DRAIN_GRACE_S = 5.0


class Stop(StrEnum):
    """Why a run must end without a result."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    TIME_LIMIT = "time_limit"
    DRAINED = "drained"
    LOST = "lost"  # another worker owns the job, or it has ended


class ActiveRun:
    """The `Run` that an engine sees: one claimed attempt in this process."""

    def __init__(
        self,
        claimed: Claimed,
        time_limit_s: float,
        wake: Callable[[], None],
        files: Files,
        family: Family,
    ) -> None:
        self.claimed = claimed
        self.stop: Stop | None = None
        self.pending: Progress | None = None
        self.logged_at = -PROGRESS_EVERY_S
        #: The newest checkpoint as JSON, until it has been written.
        self.unsaved: str | None = None
        self.saved_at = time.monotonic()
        self.renewed_at = time.monotonic()
        self.ends_at = time.monotonic() + time_limit_s
        self._finish = False
        self._wake = wake
        self._files = files
        self._family = family

    @property
    def owner_id(self) -> UUID:
        return self.claimed.owner_id

    @property
    def finish_requested(self) -> bool:
        return self._finish

    def check(self) -> None:
        if self.stop is not None:
            raise RunStopped(self.stop)

    def report(self, progress: Progress) -> None:
        self.check()
        self.pending = progress
        self._wake()

    @property
    def restored(self) -> dict[str, Any] | None:
        return self.claimed.checkpoint

    def checkpoint(self, state: dict[str, Any]) -> None:
        self.check()
        try:
            text = json.dumps(state, allow_nan=False, separators=(",", ":"))
        except (TypeError, RecursionError) as error:
            raise ValueError(f"no JSON: {error}") from error
        if len(text) > CHECKPOINT_MAX:
            raise ValueError(f"{len(text)} bytes; a checkpoint has at most {CHECKPOINT_MAX}")
        self.unsaved = text
        self._wake()

    def artifact(self, name: str, media_type: str, content: bytes | Path) -> UUID:
        self.check()
        artifact_id = self._files.add(self.claimed, name, media_type, content)
        if artifact_id is None:
            self.stop = self.stop or Stop.LOST
            raise RunStopped(self.stop)
        return artifact_id

    def children(self, wanted: Sequence[Child], *, fail_fast: bool = True) -> list[ChildOutcome]:
        self.check()
        return self._family.outcomes(self.claimed, wanted, fail_fast=fail_fast)

    def obey(self, orders: running.Orders | None) -> None:
        """Take in what Postgres says; None says that the run is no longer ours."""
        if self.stop is not None:
            return
        if orders is None:
            self.stop = Stop.LOST
        elif orders.cancel:
            self.stop = Stop.CANCELLED
        elif orders.past_deadline:
            self.stop = Stop.DEADLINE
        elif time.monotonic() > self.ends_at:
            self.stop = Stop.TIME_LIMIT
        elif orders.drain_for_s is not None and orders.drain_for_s > DRAIN_GRACE_S:
            self.stop = Stop.DRAINED
        else:
            self._finish = self._finish or orders.finish


def save_of(run: ActiveRun, state: str) -> Steps[bool]:
    """Save a checkpoint of a run under its fence."""
    claimed = run.claimed
    return checkpoints.save(claimed.job_id, claimed.fence, claimed.attempt, state)


class Attendant:
    """Looks after all runs of this process with one query a second, however many there are."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        files: Files,
        changed: Callable[[Iterable[Grown]], None],
    ) -> None:
        """
        Args:
            database: connections of role `engine`.
            files: takes the files of the runs.
            changed: told which jobs' logs grew.
        """
        self._files = files
        self._family = Family(database)
        self._database = database
        self._settings = settings
        self._changed = changed
        self._runs: dict[UUID, ActiveRun] = {}
        self._wanted = threading.Condition()
        self._orders_at = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="attendant", daemon=True)
        self._thread.start()

    def attend(self, claimed: Claimed, time_limit_s: float) -> ActiveRun:
        """Start to look after a claimed job."""
        run = ActiveRun(claimed, time_limit_s, self._wake, self._files, self._family)
        with self._wanted:
            self._runs[claimed.fence] = run
            self._wanted.notify()
        return run

    def leave(self, run: ActiveRun) -> None:
        """The run is over; its lease is no longer renewed."""
        with self._wanted:
            self._runs.pop(run.claimed.fence, None)

    def close(self) -> None:
        with self._wanted:
            self._closing = True
            self._wanted.notify()
        self._thread.join(2)

    def _wake(self) -> None:
        with self._wanted:
            self._wanted.notify()

    def _serve(self) -> None:
        while True:
            with self._wanted:
                self._wanted.wait(self._idle_s())
                if self._closing:
                    return
                runs = list(self._runs.values())
            try:
                self._round(runs)
            except Exception as error:
                # Postgres is away: runs go on, and their leases decide who was right
                log.warning("attendant_round_failed", error=repr(error))
                time.sleep(0.2)

    def _idle_s(self) -> float | None:
        """Seconds until something is due; None while there is nobody to look after."""
        if not self._runs:
            return None
        due = [self._orders_at + ORDERS_EVERY_S]
        due += [r.logged_at + PROGRESS_EVERY_S for r in self._runs.values() if r.pending]
        due += [r.saved_at + CHECKPOINT_EVERY_S for r in self._runs.values() if r.unsaved]
        return max(0.0, min(due) - time.monotonic())

    def _round(self, runs: list[ActiveRun]) -> None:
        now = time.monotonic()
        self._log_progress([r for r in runs if r.pending and now - r.logged_at >= PROGRESS_EVERY_S])
        if now - self._orders_at >= ORDERS_EVERY_S and runs:
            self._orders_at = now
            self._read_orders(runs)
            self._renew([r for r in runs if now - r.renewed_at >= self._settings.heartbeat_s])
        self._save([r for r in runs if r.unsaved and now - r.saved_at >= CHECKPOINT_EVERY_S])

    def _log_progress(self, runs: list[ActiveRun]) -> None:
        for run in runs:
            progress, run.pending = run.pending, None
            run.logged_at = time.monotonic()
            if progress is None or run.stop is not None:
                continue
            body = progress.model_dump(mode="json")
            with self._database.transaction() as session:
                claimed = run.claimed
                seq = perform(session, running.progress(claimed.job_id, claimed.fence, body))
            if seq is not None:
                self._changed([(claimed.job_id, claimed.owner_id)])

    def _save(self, runs: list[ActiveRun]) -> None:
        for run in runs:
            run.saved_at = time.monotonic()
            if (text := run.unsaved) is None or run.stop is not None:
                continue
            try:
                with self._database.transaction() as session:
                    perform(session, save_of(run, text))
            except Exception as error:
                if store_is_away(error):
                    raise  # kept until Postgres is back
                log.error("checkpoint_refused", job_id=str(run.claimed.job_id), exc_info=error)
            if run.unsaved is text:
                run.unsaved = None

    def _read_orders(self, runs: list[ActiveRun]) -> None:
        ids, fences = [r.claimed.job_id for r in runs], [r.claimed.fence for r in runs]
        with self._database.transaction(durable=False) as session:
            orders = perform(session, running.orders(ids, fences))
        for run in runs:
            run.obey(orders.get(run.claimed.fence))

    def _renew(self, runs: list[ActiveRun]) -> None:
        if not runs:
            return
        ids, fences = [r.claimed.job_id for r in runs], [r.claimed.fence for r in runs]
        with self._database.transaction(durable=False) as session:
            perform(session, running.renew(ids, fences, self._settings.lease_s))
        for run in runs:
            run.renewed_at = time.monotonic()

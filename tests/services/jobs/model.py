"""What a job should be after any step: its life in plain Python, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from models.job import TERMINAL, Status
from services.jobs.settle import MAX_CRASHES


@dataclass(eq=False)
class ModelWorker:
    """One incarnation."""

    id: UUID
    name: str
    slots: int
    alive: bool = True
    draining: bool = False


@dataclass(eq=False)
class ModelJob:
    """One job. Times are only before or after: the clock moves when the test says so."""

    id: UUID
    owner: UUID
    max_attempts: int
    has_deadline: bool
    has_start_by: bool
    status: Status = Status.QUEUED
    attempt: int = 0
    errors: int = 0
    crashes: int = 0
    log: list[str] = field(default_factory=lambda: ["job.queued"])
    #: How each claim ended, in order; None while it is open.
    outcomes: list[str | None] = field(default_factory=list)
    fence: UUID | None = None
    worker: ModelWorker | None = None
    pid: int = 0
    admitted: bool = False
    started: bool = False
    ready: bool = True
    lease_over: bool = False
    deadline_over: bool = False
    start_by_over: bool = False
    cancel_asked: bool = False
    cancel_ignored: bool = False
    finish_asked: bool = False
    keeping_over: bool = False
    gone: bool = False
    #: Whether it took the place of others, and whether another took its.
    has_place: bool = False
    superseded: bool = False
    #: Its checkpoint.
    saved: int | None = None

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def lost(self) -> bool:
        """Its run has nobody behind it any more."""
        worker_gone = self.worker is not None and not self.worker.alive
        return self.status is Status.RUNNING and (self.lease_over or worker_gone)

    @property
    def waits(self) -> bool:
        return not self.gone and self.status is Status.QUEUED

    def held_by(self, fence: UUID) -> bool:
        return not self.gone and self.fence == fence

    def may_be_claimed(self, attempt: int) -> bool:
        late = self.deadline_over or (self.start_by_over and not self.started)
        fits = self.waits and self.attempt == attempt and self.ready
        return fits and not late and not self.cancel_asked

    def claim(self, fence: UUID, worker: ModelWorker, pid: int) -> None:
        self.status, self.fence, self.worker, self.pid = Status.RUNNING, fence, worker, pid
        self.attempt += 1
        self.admitted, self.lease_over, self.started = False, False, True
        self.outcomes.append(None)
        self.log.append("job.started")

    def end(self, status: Status) -> None:
        """Whoever ends it: the run, its owner, or housekeeping."""
        self._free(status.value)
        self.status, self.saved = status, None
        self.log.append(f"job.{status}")

    def try_again(self) -> None:
        self._free("retried")
        self.errors += 1
        self._requeue("job.retrying")
        self.ready = self.errors % 2 == 0

    def give_back(self) -> None:
        self._free("given_back")
        self.attempt -= 1
        self._requeue("job.queued")

    def rescue(self) -> None:
        self._free("lost")
        first, self.crashes = self.crashes == 0, self.crashes + 1
        if self.cancel_asked:
            self.status = Status.CANCELLED
        elif self.crashes >= MAX_CRASHES:
            self.status = Status.FAILED
        else:
            self._requeue("job.retrying")
            self.ready = first
            return
        self.saved = None
        self.log.append(f"job.{self.status}")

    def cancel(self) -> None:
        if self.status is Status.RUNNING:
            self.cancel_asked = True
        elif not self.ended:
            self.cancel_asked = True
            self.end(Status.CANCELLED)

    def overdue(self) -> Status | None:
        """What housekeeping must make of it."""
        if self.gone or self.ended:
            return None
        if self.cancel_asked and (self.waits or self.cancel_ignored):
            return Status.CANCELLED
        if self.deadline_over:
            return Status.FAILED
        if self.waits and not self.started and self.start_by_over:
            return Status.EXPIRED
        return None

    def _requeue(self, event: str) -> None:
        self.status, self.admitted, self.ready = Status.QUEUED, False, True
        self.log.append(event)

    def _free(self, outcome: str) -> None:
        if self.fence is not None:
            self.outcomes[-1] = outcome
        self.fence, self.worker = None, None

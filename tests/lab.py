"""The job layer by hand: submit, claim and settle without a worker, with the real roles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from core.database import Database, Role, Steps, perform
from core.ids import new_id
from core.kind import Kind, Lane, Priority
from core.settings import Settings
from services.jobs import fleet
from services.jobs.claim import Claimed, claim
from services.jobs.pace import UNKNOWN_PACE, Pace
from services.jobs.submit import NO_LIMITS, IdempotencyKey, Limits, NewJob, Submitted, submit
from tasks import process
from tests.faults.kinds import EFFECTS, NAP
from tests.stack import Stores

T = TypeVar("T")
DAYS = 30.0


class Lab:
    """One living worker incarnation, both roles, and a user on demand."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        # by the stores, not by the environment: a test may have others beside the shared ones
        values: dict[str, Any] = {name.lower(): value for name, value in stores.env().items()}
        self.settings = Settings(**values)
        self.app = Database(self.settings, Role.APP, pool_size=20)
        self.engine = Database(self.settings, Role.ENGINE, pool_size=20)
        with stores.sql() as connection:
            connection.execute(EFFECTS)
        self.worker_id = self.enter()

    def enter(self, name: str | None = None, lane: Lane = Lane.COMPUTE, slots: int = 2) -> UUID:
        """A new worker incarnation."""
        worker_id = new_id()
        self.as_engine(fleet.enter(worker_id, name or f"lab-{worker_id}", lane, slots))
        return worker_id

    def make_user(self) -> UUID:
        user_id = new_id()
        with self.stores.sql() as connection:
            connection.execute(
                "INSERT INTO users (id, email, password_hash) VALUES (%s, %s, 'x')",
                (user_id, f"{user_id}@example.com"),
            )
        return user_id

    def as_engine(self, steps: Steps[T]) -> T:
        with self.engine.transaction() as session:
            return perform(session, steps)

    def as_owner(self, owner_id: UUID, steps: Steps[T]) -> T:
        with self.app.transaction(owner_id) as session:
            return perform(session, steps)

    def submit(
        self,
        owner_id: UUID,
        kind: Kind[Any, Any] = NAP,
        *,
        key: IdempotencyKey | None = None,
        limits: Limits = NO_LIMITS,
        priority: Priority | None = None,
        deadline_s: float | None = None,
        start_within_s: float | None = None,
        tags: list[str] | None = None,
        supersedes: str | None = None,
        admit: bool = False,
        pace: Pace = UNKNOWN_PACE,
        **request: Any,
    ) -> Submitted:
        new = NewJob(
            kind,
            kind.request(**request).model_dump(mode="json"),
            tags or [],
            deadline_s=deadline_s,
            start_within_s=start_within_s,
            priority=priority,
            supersedes=supersedes,
        )
        steps = submit(owner_id, new, limits=limits, key=key, admit=admit, pace=pace)
        return self.as_owner(owner_id, steps)

    def claim(self, job_id: UUID, attempt: int = 0, lease_s: float = 30) -> Claimed | None:
        steps = claim(job_id, attempt, worker_id=self.worker_id, pid=os.getpid(), lease_s=lease_s)
        return self.as_engine(steps)

    def status(self, job_id: UUID) -> str:
        return str(self.stores.one("SELECT status FROM jobs WHERE id = %s", job_id))

    def events(self, job_id: UUID) -> list[str]:
        """Types of the job's events in order; fails on a gap."""
        with self.stores.sql() as connection:
            rows = connection.execute(
                "SELECT seq, type FROM job_events WHERE job_id = %s ORDER BY seq", (job_id,)
            ).fetchall()
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
        assert self.stores.one("SELECT seq FROM jobs WHERE id = %s", job_id) == len(rows)
        return [row[1] for row in rows]

    def past(self, job_id: UUID, **columns: float) -> None:
        """Let time have passed: set columns of the job so many seconds into the past."""
        with self.stores.sql() as connection:
            for column, seconds in columns.items():
                table = "job_runs" if column == "lease_until" else "jobs"
                key = "job_id" if column == "lease_until" else "id"
                connection.execute(
                    f"UPDATE {table} SET {column} = now() - make_interval(secs => %s)"
                    f" WHERE {key} = %s",
                    (seconds, job_id),
                )

    def close(self) -> None:
        self.app.dispose()
        self.engine.dispose()


@contextmanager
def in_this_process(lab: Lab) -> Iterator[Callable[[], process.Process]]:
    """Let `tasks.base.live` run here as the lab's worker."""
    os.environ[process.WORKER_ID] = str(lab.worker_id)
    try:
        yield process.current
    finally:
        process.close()
        del os.environ[process.WORKER_ID]

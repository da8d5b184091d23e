"""First half of the state machine: writers that may die, owners, a broker that may lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.database import Steps, perform
from core.kind import Lane
from models.job import Status
from services.jobs import admission, requests
from services.jobs.claim import Claimed
from services.jobs.errors import JobFinished, JobNotFinished, JobNotFound
from services.jobs.submit import NewJob, Submitted, retry, submit
from tests.faults.kinds import NAP
from tests.lab import DAYS, Lab
from tests.services.jobs.inspection import Inspection
from tests.services.jobs.model import ModelJob, ModelWorker

T = TypeVar("T")
HOUR_S, TEN_DAYS_S = 3600.0, 864_000.0
KINDS = {NAP.name: NAP}
WORKERS = ("one", "two")


class Held(NamedTuple):
    """What a worker believes to hold; it may be long gone."""

    job: ModelJob
    claimed: Claimed


class Fate(NamedTuple):
    """Whether the writer dies, and after how many of its statements."""

    how: str = "lives"
    after: int = 1


FATES = st.sampled_from(
    [*[Fate()] * 16, *(Fate("dies", after) for after in (1, 2, 3)), Fate("is cut off", 2)]
)


#: Who writes next, see `pick`.
PICKS = st.tuples(st.sampled_from(["holder", "stale", "anybody"]), st.integers(0, 9))
Pick = tuple[str, int]


class Died(Exception):
    """The writer is gone; its transaction is rolled back."""


class Accepting(RuleBasedStateMachine):
    """The real statements on one side, the model on the other: up to the claim."""

    jobs = Bundle[ModelJob]("jobs")
    lab: Lab

    def __init__(self) -> None:
        super().__init__()
        self.known: list[ModelJob] = []
        self.held: list[Held] = []
        self.workers: dict[str, ModelWorker] = {}
        self.pids = 0
        with self.lab.stores.sql() as connection:
            connection.execute("DELETE FROM jobs; DELETE FROM workers; DELETE FROM effects")
        self.inspection = Inspection(self.lab.stores.postgres.dsn("postgres"))

    def teardown(self) -> None:
        self.inspection.close()

    def write(
        self, owner: UUID | None, parts: Sequence[Callable[[Session], T]], fate: Fate
    ) -> tuple[bool, T | None]:
        """Run the parts in one transaction; whether it was committed, and the last one's value."""
        database = self.lab.engine if owner is None else self.lab.app
        value = None
        try:
            with database.transaction(owner) as session:
                for number, part in enumerate(parts, 1):
                    value = part(session)
                    if number == min(fate.after, len(parts)):
                        self._meet(session, fate)
        except (Died, DBAPIError):
            assert fate.how != "lives"
            return False, None
        assert fate.how == "lives", "a commit over a cut connection"
        return True, value

    def _meet(self, session: Session, fate: Fate) -> None:
        if fate.how == "dies":
            raise Died
        if fate.how == "is cut off":
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            self.inspection.cut(pid)

    def do(self, steps: Steps[T], fate: Fate, owner: UUID | None = None) -> tuple[bool, T | None]:
        return self.write(owner, [lambda session: perform(session, steps)], fate)

    def pick(self, pick: Pick) -> Held:
        """Somebody who has claimed: who holds a job, who has lost one that runs again, anybody."""
        who, number = pick
        running_now = [one for one in self.held if one.job.fence is not None]
        holds = [one.job.held_by(one.claimed.fence) for one in running_now]
        wanted = [
            one for one, held in zip(running_now, holds, strict=True) if held == (who == "holder")
        ]
        among = wanted if wanted and who != "anybody" else self.held
        return among[number % len(among)]

    # ── What owners do ──────────────────────────────────────────────────────────────────────

    @initialize(target=jobs)
    def people_and_workers(self) -> Any:
        self.owner = self.lab.make_user()
        for name in WORKERS:
            self.enter(name)
        new = NewJob(NAP, {}, deadline_s=HOUR_S, start_within_s=HOUR_S)
        made = [self.lab.as_owner(self.owner, submit(self.owner, new)) for _ in "abc"]
        return multiple(*(self._made(one, deadline=True, start_by=True) for one in made))

    def enter(self, name: str) -> None:
        """A worker starts; an earlier one of its name must be dead then."""
        old = self.workers.get(name)
        if old is not None:
            old.alive = False
        self.workers[name] = ModelWorker(self.lab.enter(name), name, slots=2)
        self.inspection.never_late(self.workers[name].id)

    @precondition(lambda self: sum(not job.ended for job in self.known) < 4)
    @rule(
        target=jobs,
        deadline=st.booleans(),
        start_by=st.booleans(),
        supersedes=st.booleans(),
        fate=FATES,
    )
    def owner_submits(self, deadline: bool, start_by: bool, supersedes: bool, fate: Fate) -> Any:
        new = NewJob(
            NAP,
            {"seconds": 0},
            deadline_s=HOUR_S if deadline else None,
            start_within_s=HOUR_S if start_by else None,
            supersedes="place" if supersedes else None,
        )
        done, made = self.do(submit(self.owner, new), fate, self.owner)
        return self._made(made, deadline, start_by, supersedes) if done else multiple()

    def _made(
        self,
        made: Submitted | None,
        deadline: bool = False,
        start_by: bool = False,
        supersedes: bool = False,
    ) -> ModelJob:
        assert made is not None
        job = ModelJob(made.job_id, self.owner, NAP.max_attempts, deadline, start_by)
        if supersedes:
            job.has_place = True
            self._lose_place(made)
        self.known.append(job)
        return job

    def _lose_place(self, made: Submitted) -> None:
        """Whoever had the place before, and has not lost it yet."""
        before = [
            job
            for job in self.known
            if job.has_place and not (job.superseded or job.ended or job.gone)
        ]
        assert sorted(made.superseded) == sorted(job.id for job in before)
        for job in before:
            job.superseded = True
            job.cancel()

    @rule(
        job=jobs,
        what=st.sampled_from(["wants it now", "retries", "cancels"]),
        fate=FATES,
        target=jobs,
    )
    def owner_says(self, job: ModelJob, what: str, fate: Fate) -> Any:
        if what == "retries":
            return self._retry(job, fate)
        if what == "cancels":
            self._cancel(job, fate)
        else:
            self._finish(job, fate)
        return multiple()

    def _cancel(self, job: ModelJob, fate: Fate) -> None:
        try:
            steps = requests.cancel(self.owner, job.id, keep_days=DAYS)
            if self.do(steps, fate, self.owner)[0]:
                assert not job.gone
                job.cancel()
        except JobNotFound:
            assert job.gone

    def _finish(self, job: ModelJob, fate: Fate) -> None:
        try:
            if self.do(requests.finish(self.owner, job.id, KINDS), fate, self.owner)[0]:
                assert not job.gone
                job.finish_asked = job.finish_asked or not job.ended
        except JobNotFound:
            assert job.gone
        except JobFinished:
            assert job.ended
            assert job.status is not Status.SUCCEEDED

    def _retry(self, job: ModelJob, fate: Fate) -> Any:
        try:
            steps = retry(self.owner, job.id, KINDS)
            done, made = self.do(steps, fate, self.owner)
        except JobNotFound:
            assert job.gone
            return multiple()
        except JobNotFinished:
            assert not job.ended
            return multiple()
        assert job.ended
        return self._made(made, supersedes=job.has_place) if done else multiple()

    # ── What the broker is told; what it delivers is in the hands of `claim` ────────────────

    def _admit(self, fate: Fate) -> None:
        slots = sum(w.slots for w in self.workers.values() if w.alive and not w.draining)
        depth = max(admission.DEPTH_UNSERVED, admission.DEPTH_PER_SLOT * slots)
        room = max(0, depth - sum(job.waits and job.admitted for job in self.known))
        first = {job.id: job for job in self.known if job.waits and not job.admitted and job.ready}
        done, sent = self.do(admission.admit(Lane.COMPUTE), fate)
        if not done or sent is None:
            return
        assert len(sent) == min(room, len(first))
        for message in sent:
            assert message.attempt == first[message.job_id].attempt
            first[message.job_id].admitted = True

    def _readmit(self, fate: Fate, *, long_ago: bool = True) -> None:
        sent = [job for job in self.known if job.waits and job.admitted]
        for job in sent:
            self.lab.past(job.id, admitted_at=TEN_DAYS_S if long_ago else 0)
        done, count = self.do(admission.readmit(idle_s=HOUR_S, busy_s=HOUR_S), fate)
        if done:
            assert count == (len(sent) if long_ago else 0)
            for job in sent:
                job.admitted = not long_ago

"""Families moved by hand: who waits, who wakes whom, who is cancelled, whoever comes at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.children import MAX_CHILDREN, MAX_DEPTH, Child
from core.kind import JobFailed, Lane
from models.job import Status
from services.jobs import children, repair, requests, settle, views
from services.jobs.admission import Caps, admit
from services.jobs.children import MayNotWait
from services.jobs.claim import Claimed
from services.jobs.errors import TooManyJobs, job_error
from services.jobs.submit import Limits
from tests.faults.kinds import DOZE, NAP, Nap
from tests.lab import DAYS, Lab

BROKEN = job_error("BROKEN", "It broke.")


def wanted(count: int, prefix: str = "") -> list[Child]:
    return [Child(f"{prefix}{n}", NAP, Nap(seconds=n)) for n in range(count)]


class Families:
    """One owner's families."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.owner = lab, lab.make_user()

    def claim(self, job_id: UUID, attempt: int = 0) -> Claimed:
        claimed = self.lab.claim(job_id, attempt, lease_s=600)
        assert claimed is not None
        return claimed

    def wait(self, claimed: Claimed, asked: list[Child], *, fail_fast: bool = False) -> list[UUID]:
        steps = children.wait_for(claimed, asked, fail_fast=fail_fast)
        return self.lab.as_owner(self.owner, steps)

    def make(self, count: int, *, fail_fast: bool = False, **more: Any) -> tuple[UUID, list[UUID]]:
        """A job that waits for so many."""
        job_id = self.lab.submit(self.owner, **more).job_id
        return job_id, self.wait(self.claim(job_id), wanted(count), fail_fast=fail_fast)

    def end(self, job_id: UUID, status: Status = Status.SUCCEEDED) -> None:
        self.settle(self.claim(job_id), status)

    def settle(self, claimed: Claimed, status: Status = Status.SUCCEEDED) -> None:
        how: dict[str, Any] = {
            Status.SUCCEEDED: {"result": {"steps": 1}},
            Status.FAILED: {"error": BROKEN},
        }.get(status, {})
        steps = settle.settle(claimed.job_id, claimed.fence, status, keep_days=DAYS, **how)
        assert self.lab.as_owner(self.owner, steps)

    def cancel(self, job_id: UUID) -> None:
        self.lab.as_owner(self.owner, requests.cancel(self.owner, job_id, keep_days=DAYS))

    def mend(self) -> tuple[int, int]:
        """How many it cancelled and woke."""
        mended = self.lab.as_engine(children.mend(keep_days=DAYS))
        return len(mended.cancelled), len(mended.woken)

    def counts(self, job_id: UUID) -> tuple[int, int, int]:
        view = self.lab.as_owner(self.owner, views.read(self.owner, job_id))
        return view.children_total, view.children_finished, view.children_failed

    def statuses(self, job_ids: list[UUID]) -> list[str]:
        return [self.lab.status(each) for each in job_ids]


@pytest.fixture
def families(lab: Lab) -> Families:
    return Families(lab)


class TestAJobThatWaits:
    def test_holds_no_worker_and_counts_no_error(self, families: Families) -> None:
        job_id, started = families.make(3)
        with families.lab.stores.sql() as sql:
            row = sql.execute(
                "SELECT j.status, j.errors, j.crashes, j.attempt, r.fence, r.lease_until, outcome"
                " FROM jobs j JOIN job_runs r ON r.job_id = j.id"
                " JOIN job_attempts a ON a.job_id = j.id WHERE j.id = %s",
                (job_id,),
            ).fetchone()
        assert row == ("waiting", 0, 0, 1, None, None, "waiting")
        assert families.statuses(started) == ["queued"] * 3
        assert families.counts(job_id) == (3, 0, 0)
        assert families.mend() == (0, 0)

    def test_is_queued_by_the_end_of_the_last_child(self, families: Families) -> None:
        job_id, started = families.make(3)
        for child in started[:2]:
            families.end(child)
            assert families.lab.status(job_id) == "waiting"
        families.end(started[2])
        assert families.lab.status(job_id) == "queued"
        assert families.lab.events(job_id) == [
            *("job.queued", "job.started"),
            *("job.progress", "job.progress", "job.progress", "job.queued"),
        ]
        again = families.claim(job_id, 1)
        assert (again.attempt, again.errors, again.crashes) == (2, 0, 0)

    def test_shows_how_many_have_ended(self, families: Families) -> None:
        job_id, started = families.make(4)
        families.end(started[0])
        families.end(started[1], Status.FAILED)
        view = families.lab.as_owner(families.owner, views.read(families.owner, job_id))
        assert view.progress is not None
        assert (view.progress["fraction"], view.progress["stage"]) == (0.5, "children")
        assert view.progress["data"] == {"children": {"total": 4, "finished": 2, "failed": 1}}

    def test_reads_what_came_of_them(self, families: Families) -> None:
        job_id, started = families.make(2)
        families.end(started[0])
        families.end(started[1], Status.FAILED)
        keys = ["0", "1", "no such"]
        found = families.lab.as_engine(children.ended(families.owner, job_id, keys))
        assert {key: (each.job_id, each.status) for key, each in found.items()} == {
            "0": (started[0], "succeeded"),
            "1": (started[1], "failed"),
        }
        assert (found["0"].result, found["1"].error) == ({"steps": 1}, BROKEN)
        stranger = families.lab.make_user()
        assert families.lab.as_engine(children.ended(stranger, job_id, keys)) == {}

    def test_starts_nothing_twice(self, families: Families) -> None:
        job_id, started = families.make(2)
        for child in started:
            families.end(child)
        more = families.wait(families.claim(job_id, 1), [*wanted(2), *wanted(1, "more")])
        assert len(more) == 1
        assert families.counts(job_id) == (3, 2, 0)
        families.end(more[0])
        assert families.lab.status(job_id) == "queued"

    def test_gives_them_its_tags_and_its_priority(self, families: Families) -> None:
        _, started = families.make(1, tags=["trip:1"])
        view = families.lab.as_owner(families.owner, views.read(families.owner, started[0]))
        assert view.tags == ["trip:1"]
        child = families.claim(started[0])
        assert child.input == Nap(seconds=0).model_dump(mode="json")


class TestWhoMayNotWait:
    def test_has_been_cancelled_meanwhile(self, families: Families) -> None:
        job_id = families.lab.submit(families.owner).job_id
        claimed = families.claim(job_id)
        families.cancel(job_id)
        self._refused(families, claimed, MayNotWait)

    def test_has_lost_the_job(self, families: Families) -> None:
        job_id = families.lab.submit(families.owner).job_id
        claimed = families.claim(job_id)
        families.lab.past(job_id, lease_until=1)
        families.lab.as_engine(repair.rescue(keep_days=DAYS))
        self._refused(families, claimed, MayNotWait)

    def test_starts_too_many(self, families: Families) -> None:
        claimed = families.claim(families.lab.submit(families.owner).job_id)
        with pytest.raises(JobFailed, match="TOO_MANY_CHILDREN"):
            families.wait(claimed, wanted(MAX_CHILDREN + 1))

    def test_is_too_deep(self, families: Families) -> None:
        job_id = families.lab.submit(families.owner).job_id
        for _ in range(MAX_DEPTH):
            (job_id,) = families.wait(families.claim(job_id), wanted(1))
        with pytest.raises(JobFailed, match="CHILDREN_TOO_DEEP"):
            families.wait(families.claim(job_id), wanted(1))

    def _refused(self, families: Families, claimed: Claimed, error: type[Exception]) -> None:
        with pytest.raises(error):
            families.wait(claimed, wanted(2))
        question = "SELECT count(*) FROM jobs WHERE parent_id IS NOT NULL"
        assert families.lab.stores.one(question) == 0


class TestAChildThatDoesNotSucceed:
    @pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
    def test_has_its_siblings_cancelled_where_it_fails_fast(
        self, status: Status, families: Families
    ) -> None:
        job_id, (first, running, waiting) = families.make(3, fail_fast=True)
        claimed = families.claim(running)
        families.end(first, status)
        assert families.statuses([job_id, running, waiting]) == ["waiting", "running", "cancelled"]
        asked = "SELECT cancel_requested_at IS NOT NULL FROM jobs WHERE id = %s"
        assert families.lab.stores.one(asked, running) is True
        families.settle(claimed, Status.CANCELLED)
        assert families.lab.status(job_id) == "queued"
        assert families.counts(job_id) == (3, 3, 3)
        for each in (job_id, first, running, waiting):
            families.lab.events(each)

    def test_leaves_them_alone_where_all_are_collected(self, families: Families) -> None:
        job_id, (first, second) = families.make(2)
        families.end(first, Status.FAILED)
        assert families.statuses([job_id, second]) == ["waiting", "queued"]
        families.end(second)
        assert families.lab.status(job_id) == "queued"
        assert families.counts(job_id) == (2, 2, 1)


class TestTheEndOfAWaitingJob:
    def grown(self, families: Families) -> tuple[UUID, UUID, list[UUID]]:
        """A job, its child that waits, and the child's: one running, one queued."""
        job_id, (child,) = families.make(1)
        below = families.wait(families.claim(child), wanted(2))
        families.claim(below[0])
        return job_id, child, below

    def test_by_a_cancel_cancels_all_below(self, families: Families) -> None:
        job_id, child, below = self.grown(families)
        families.cancel(job_id)
        families.cancel(job_id)
        self._all_below_end(families, job_id, child, below, "cancelled")

    def test_by_its_deadline_does_so_too(self, families: Families) -> None:
        job_id, child, below = self.grown(families)
        families.lab.past(job_id, deadline_at=1)
        families.lab.as_engine(repair.end_overdue(keep_days=DAYS))
        self._all_below_end(families, job_id, child, below, "failed")

    def _all_below_end(
        self, families: Families, job_id: UUID, child: UUID, below: list[UUID], status: str
    ) -> None:
        running, waiting = below
        assert families.statuses([job_id, child, running, waiting]) == [
            *(status, "cancelled", "running", "cancelled")
        ]
        asked = "SELECT cancel_requested_at IS NOT NULL FROM jobs WHERE id = %s"
        assert families.lab.stores.one(asked, running) is True
        assert families.mend() == (0, 0)
        families.lab.past(running, cancel_requested_at=6)
        families.lab.as_engine(repair.end_overdue(keep_days=DAYS))
        assert families.lab.status(running) == "cancelled"
        assert families.counts(child) == (2, 2, 2)
        assert families.counts(job_id) == (1, 1, 1)
        for each in (job_id, child, *below):
            families.lab.events(each)

    def test_of_another_family_is_its_own(self, families: Families) -> None:
        (job_id, _), (other, started) = families.make(1), families.make(1)
        families.cancel(job_id)
        assert families.statuses([other, *started]) == ["waiting", "queued"]


class TestLimits:
    def test_count_children_for_their_owner(self, families: Families) -> None:
        families.make(2)
        with pytest.raises(TooManyJobs):
            families.lab.submit(families.owner, limits=Limits(unfinished=3))
        families.lab.submit(families.owner, limits=Limits(unfinished=4))

    def test_are_never_held_by_who_waits(self, families: Families) -> None:
        """One at a time: the child comes in although its parent has not ended."""
        job_id, started = families.make(2)
        caps = Caps(per_user=1, per_kind={"nap": 1})
        for child in started:
            (message,) = families.lab.as_engine(admit(Lane.COMPUTE, caps=caps))
            assert message.job_id == child
            families.end(child)
        (message,) = families.lab.as_engine(admit(Lane.COMPUTE, caps=caps))
        assert (message.job_id, message.attempt) == (job_id, 1)


class TestPruning:
    def test_keeps_children_as_long_as_their_parent(self, families: Families) -> None:
        job_id, (child,) = families.make(1)
        families.end(child)
        families.lab.past(child, expires_at=1)
        families.lab.as_engine(repair.prune())
        assert families.lab.status(child) == "succeeded"
        families.settle(families.claim(job_id, 1))
        families.lab.past(job_id, expires_at=1)
        families.lab.as_engine(repair.prune())
        question = "SELECT count(*) FROM jobs WHERE id = ANY(%s)"
        assert families.lab.stores.one(question, [job_id, child]) == 0


class TestTheLifeline:
    def test_cancels_what_was_being_written_when_its_family_ended(self, families: Families) -> None:
        job_id, (held, free) = families.make(2)
        families.lab.past(job_id, deadline_at=1)
        with psycopg.connect(families.lab.stores.postgres.dsn("postgres")) as other:
            other.execute("SELECT FROM jobs WHERE id = %s FOR UPDATE", (held,))
            families.lab.as_engine(repair.end_overdue(keep_days=DAYS))
            assert families.statuses([job_id, held, free]) == ["failed", "queued", "cancelled"]
            assert families.mend() == (0, 0)
        assert families.mend() == (1, 0)
        assert families.statuses([held]) == ["cancelled"]
        assert families.counts(job_id) == (2, 2, 2)

    def test_wakes_a_parent_whose_children_ended_unseen(self, families: Families) -> None:
        """Impossible while the trigger stands; here it is switched off."""
        job_id, (child,) = families.make(1)
        with families.lab.stores.sql() as sql:
            sql.execute("SET session_replication_role = replica")
            sql.execute(
                "UPDATE jobs SET status = 'failed', finished_at = now() WHERE id = %s", (child,)
            )
        assert families.mend() == (0, 1)
        assert families.lab.status(job_id) == "queued"
        assert families.mend() == (0, 0)

    def test_leaves_who_waits_for_something_else(self, families: Families) -> None:
        job_id = families.lab.submit(families.owner).job_id
        families.claim(job_id)
        with families.lab.stores.sql() as sql:
            sql.execute("UPDATE jobs SET status = 'waiting' WHERE id = %s", (job_id,))
        assert families.mend() == (0, 0)
        assert families.lab.status(job_id) == "waiting"


def at_once(*calls: Callable[[], object]) -> None:
    """Make the calls in threads that start together; none may fail."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        start.wait()
        try:
            call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class TestAtOnce:
    def test_two_last_children_wake_their_parent_once(self, families: Families) -> None:
        for _ in range(15):
            job_id, started = families.make(2)
            first, second = [families.claim(child) for child in started]
            at_once(partial(families.settle, first), partial(families.settle, second))
            assert families.lab.status(job_id) == "queued"
            assert families.counts(job_id) == (2, 2, 0)
            assert families.lab.events(job_id).count("job.queued") == 2
        assert families.mend() == (0, 0)

    def test_children_that_fail_and_a_cancel_never_lock_each_other_up(
        self, families: Families
    ) -> None:
        """A deadlock would show as an error of one of them."""
        dice = random.Random(11)
        for _ in range(8):
            job_id, started = families.make(6, fail_fast=dice.random() < 0.5, kind=DOZE)
            claimed = [families.claim(child) for child in started[:4]]
            ends = [dice.choice([Status.SUCCEEDED, Status.FAILED]) for _ in claimed]
            calls: list[Callable[[], object]] = [
                partial(families.settle, child, how)
                for child, how in zip(claimed, ends, strict=True)
            ]
            if dice.random() < 0.7:
                calls.append(partial(families.cancel, job_id))
            calls.append(lambda: families.lab.as_engine(repair.end_overdue(keep_days=DAYS)))
            calls.append(families.mend)
            dice.shuffle(calls)
            at_once(*calls)
            self._all_can_end(families, job_id, started)

    def _all_can_end(self, families: Families, job_id: UUID, started: list[UUID]) -> None:
        families.mend()
        for child in started:
            if families.lab.status(child) == "queued":
                families.end(child)
        assert families.mend() == (0, 0)
        assert set(families.statuses(started)) <= {"succeeded", "failed", "cancelled"}
        assert families.lab.status(job_id) in ("queued", "cancelled")
        total, finished, failed = families.counts(job_id)
        lost = [status for status in families.statuses(started) if status != "succeeded"]
        assert (total, finished, failed) == (6, 6, len(lost))
        for each in (job_id, *started):
            families.lab.events(each)

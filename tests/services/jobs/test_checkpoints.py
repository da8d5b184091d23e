"""What a run has reached, kept for the next attempt: fenced, and no longer than the job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from models.job import Status
from services.jobs import checkpoints, repair, requests, settle
from services.jobs.claim import Claimed
from services.jobs.errors import job_error
from tests.lab import DAYS, Lab

BUSY = job_error("BUSY", "Later.", status=503, retryable=True)
NO = job_error("NO", "Never.")


def claimed(lab: Lab, job_id: UUID, attempt: int = 0) -> Claimed:
    made = lab.claim(job_id, attempt)
    assert made is not None
    return made


def save(lab: Lab, run: Claimed, state: str = '{"n":1}') -> bool:
    return lab.as_engine(checkpoints.save(run.job_id, run.fence, run.attempt, state))


def saved(lab: Lab, job_id: UUID) -> Any:
    return lab.stores.one("SELECT state FROM job_checkpoints WHERE job_id = %s", job_id)


def lose(lab: Lab, run: Claimed) -> None:
    lab.past(run.job_id, lease_until=1)
    lab.as_engine(repair.rescue(keep_days=DAYS))


def err(lab: Lab, run: Claimed) -> None:
    lab.as_owner(run.owner_id, settle.after_error(run, BUSY, base_s=0, keep_days=DAYS))


def give_back(lab: Lab, run: Claimed) -> None:
    lab.as_owner(run.owner_id, settle.give_back(run.job_id, run.fence))


class TestTheNextAttempt:
    def test_of_a_fresh_job_finds_nothing(self, lab: Lab, owner: UUID) -> None:
        assert claimed(lab, lab.submit(owner).job_id).checkpoint is None

    @pytest.mark.parametrize(("ends", "attempt"), [(lose, 1), (err, 1), (give_back, 0)])
    def test_finds_what_was_saved_last(
        self, lab: Lab, owner: UUID, ends: Callable[[Lab, Claimed], None], attempt: int
    ) -> None:
        first = claimed(lab, lab.submit(owner).job_id)
        assert save(lab, first)
        assert save(lab, first, '{"n":2,"text":"caf\\u00e9 \\u0000"}')
        ends(lab, first)
        second = claimed(lab, first.job_id, attempt)
        assert second.checkpoint == {"n": 2, "text": "café \0"}
        # and so does the one after it, if it had nothing to add
        lose(lab, second)
        lab.past(first.job_id, ready_at=1)
        assert claimed(lab, first.job_id, attempt + 1).checkpoint == second.checkpoint


class TestTheFence:
    def test_lost_saves_nothing(self, lab: Lab, owner: UUID) -> None:
        stale = claimed(lab, lab.submit(owner).job_id)
        assert save(lab, stale)
        lose(lab, stale)
        assert not save(lab, stale, '{"n":99}')
        fresh = claimed(lab, stale.job_id, 1)
        assert save(lab, fresh, '{"n":2}')
        assert not save(lab, stale, '{"n":99}')
        assert saved(lab, stale.job_id) == {"n": 2}

    def test_of_an_ended_job_saves_nothing(self, lab: Lab, owner: UUID) -> None:
        run = claimed(lab, lab.submit(owner).job_id)
        lab.as_owner(owner, settle.settle(run.job_id, run.fence, Status.FAILED, keep_days=DAYS))
        assert not save(lab, run)
        assert saved(lab, run.job_id) is None

    def test_of_another_user_is_of_no_use(self, lab: Lab, owner: UUID) -> None:
        run = claimed(lab, lab.submit(owner).job_id)
        stranger = lab.make_user()
        steps = checkpoints.save(run.job_id, run.fence, 1, "{}")
        assert not lab.as_owner(stranger, steps)
        assert saved(lab, run.job_id) is None


class TestTheEnd:
    @pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
    def test_that_a_run_settles_drops_it(self, lab: Lab, owner: UUID, status: Status) -> None:
        run = claimed(lab, lab.submit(owner).job_id)
        save(lab, run)
        # by the role of requests, which may drop only its owner's
        lab.as_owner(owner, settle.settle(run.job_id, run.fence, status, keep_days=DAYS))
        assert saved(lab, run.job_id) is None

    def test_that_its_owner_wants_drops_it(self, lab: Lab, owner: UUID) -> None:
        run = claimed(lab, lab.submit(owner).job_id)
        save(lab, run)
        lab.as_owner(owner, requests.cancel(owner, run.job_id, keep_days=DAYS))
        assert saved(lab, run.job_id) == {"n": 1}  # it still runs
        give_back(lab, run)
        lab.as_owner(owner, requests.cancel(owner, run.job_id, keep_days=DAYS))
        assert saved(lab, run.job_id) is None

    def test_that_a_newer_job_brings_drops_it(self, lab: Lab, owner: UUID) -> None:
        run = claimed(lab, lab.submit(owner, tags=["t"]).job_id)
        save(lab, run)
        give_back(lab, run)
        lab.submit(owner, supersedes="t")
        assert saved(lab, run.job_id) is None

    def test_that_the_lifeline_brings_drops_it(self, lab: Lab, owner: UUID) -> None:
        late = claimed(lab, lab.submit(owner, deadline_s=60).job_id)
        save(lab, late)
        lab.past(late.job_id, deadline_at=0)
        lab.as_engine(repair.end_overdue(keep_days=DAYS))
        assert (lab.status(late.job_id), saved(lab, late.job_id)) == ("failed", None)

    def test_at_the_third_crash_drops_it_and_no_earlier(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        for attempt in range(3):
            lab.past(job_id, ready_at=1)
            run = claimed(lab, job_id, attempt)
            save(lab, run)
            lose(lab, run)
            assert saved(lab, job_id) == ({"n": 1} if attempt < 2 else None)

    def test_of_its_keeping_takes_whatever_is_left(self, lab: Lab, owner: UUID) -> None:
        run = claimed(lab, lab.submit(owner).job_id)
        save(lab, run)
        with lab.stores.sql() as connection:
            connection.execute("DELETE FROM jobs WHERE id = %s", (run.job_id,))
        assert saved(lab, run.job_id) is None

"""The life of a job in Postgres: claim, fence, settle, retry, give back, cancel, rescue, expire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from core.kind import Lane
from models.job import Status
from services.jobs import fleet, repair, requests, running, settle
from services.jobs.claim import Claimed
from services.jobs.errors import JobFinished, JobNotFound, job_error
from tests.faults.kinds import NAP
from tests.lab import DAYS, Lab

BUSY = job_error("BUSY", "Later.", status=503, retryable=True)


def taken(claimed: Claimed | None) -> Claimed:
    assert claimed is not None
    return claimed


def succeed(lab: Lab, claimed: Claimed) -> bool:
    return lab.as_owner(
        claimed.owner_id,
        settle.settle(
            claimed.job_id, claimed.fence, Status.SUCCEEDED, result={"steps": 1}, keep_days=DAYS
        ),
    )


class TestClaim:
    def test_one_of_many_at_once_wins(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(lambda _: lab.claim(job_id), range(8)))
        assert len([one for one in claims if one is not None]) == 1
        assert lab.events(job_id) == ["job.queued", "job.started"]

    def test_a_message_of_an_earlier_attempt_does_nothing(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        first = taken(lab.claim(job_id))
        lab.as_owner(owner, settle.try_again(job_id, first.fence, BUSY, 0))
        assert lab.claim(job_id, attempt=0) is None
        assert taken(lab.claim(job_id, attempt=1)).attempt == 2

    def test_a_worker_declared_dead_claims_nothing(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        lab.as_engine(fleet.leave(lab.worker_id))
        assert lab.claim(job_id) is None

    def test_not_before_the_back_off_ends(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        lab.as_owner(owner, settle.try_again(job_id, taken(lab.claim(job_id)).fence, BUSY, 60))
        assert lab.claim(job_id, attempt=1) is None


class TestTheFence:
    def test_a_second_end_writes_nothing(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        assert succeed(lab, claimed)
        assert not succeed(lab, claimed)
        assert lab.events(claimed.job_id)[-1] == "job.succeeded"

    def test_a_stale_attempt_may_not_write(self, lab: Lab, owner: UUID) -> None:
        stale = taken(lab.claim(lab.submit(owner).job_id))
        lab.past(stale.job_id, lease_until=1)
        assert lab.as_engine(repair.rescue(keep_days=DAYS)) == [(stale.job_id, stale.owner_id)]
        fresh = taken(lab.claim(stale.job_id, attempt=1))
        assert lab.as_engine(running.progress(stale.job_id, stale.fence, {"fraction": 1})) is None
        assert not lab.as_owner(owner, running.hold(stale.job_id, stale.fence))
        assert not succeed(lab, stale)
        assert not lab.as_owner(owner, settle.give_back(stale.job_id, stale.fence))
        assert succeed(lab, fresh)
        assert lab.events(stale.job_id) == [
            "job.queued",
            "job.started",
            "job.retrying",
            "job.started",
            "job.succeeded",
        ]

    def test_orders_do_not_reach_a_lost_run(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        ids, fences = [claimed.job_id], [claimed.fence]
        assert claimed.fence in lab.as_engine(running.orders(ids, fences))
        lab.past(claimed.job_id, lease_until=1)
        lab.as_engine(repair.rescue(keep_days=DAYS))
        assert lab.as_engine(running.orders(ids, fences)) == {}

    def test_renewing_does_not_revive_a_lost_lease(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        lab.past(claimed.job_id, lease_until=1)
        lab.as_engine(repair.rescue(keep_days=DAYS))
        lab.as_engine(running.renew([claimed.job_id], [claimed.fence], 30))
        assert (
            lab.stores.one("SELECT lease_until FROM job_runs WHERE job_id = %s", claimed.job_id)
            is None
        )


class TestErrors:
    def test_are_capped(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        for attempt in range(3):
            claimed = taken(lab.claim(job_id, attempt))
            lab.as_owner(owner, settle.after_error(claimed, BUSY, base_s=0, keep_days=DAYS))
        assert lab.status(job_id) == "failed"
        assert lab.events(job_id).count("job.retrying") == 2

    def test_that_are_not_retryable_end_at_once(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        error = job_error("NO", "Never.")
        lab.as_owner(owner, settle.after_error(claimed, error, base_s=0, keep_days=DAYS))
        assert lab.status(claimed.job_id) == "failed"

    def test_back_off_grows_and_stays_under_its_cap(self) -> None:
        for errors in range(1, 12):
            delays = [settle.next_delay(errors, 99, 2.0) for _ in range(200)]
            top = min(300.0, 2.0 * 2 ** (errors - 1))
            assert all(d is not None and 0 <= d <= top for d in delays)
            assert max(d for d in delays if d is not None) > top / 2
        assert settle.next_delay(3, 3, 2.0) is None


class TestCrashes:
    def test_three_end_the_job(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        for attempt in range(3):
            lab.past(job_id, ready_at=1)
            taken(lab.claim(job_id, attempt))
            lab.past(job_id, lease_until=1)
            lab.as_engine(repair.rescue(keep_days=DAYS))
        assert lab.status(job_id) == "failed"
        error = lab.stores.one("SELECT error FROM job_payloads WHERE job_id = %s", job_id)
        assert error["error_code"] == "WORKER_LOST"
        assert lab.events(job_id)[-2:] == ["job.started", "job.failed"]

    def test_a_successor_frees_what_its_predecessor_held(self, lab: Lab, owner: UUID) -> None:
        lab.worker_id = lab.enter("compute@one")
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        lab.worker_id = lab.enter("compute@one")
        lab.as_engine(repair.rescue(keep_days=DAYS))
        assert lab.status(claimed.job_id) == "queued"
        taken(lab.claim(claimed.job_id, attempt=1))

    def test_only_the_dead_childs_lease_ends(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        lab.as_engine(fleet.bury(lab.worker_id, [1]))
        assert lab.as_engine(repair.rescue(keep_days=DAYS)) == []
        pid = lab.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", claimed.job_id)
        lab.as_engine(fleet.bury(lab.worker_id, [pid]))
        assert lab.as_engine(repair.rescue(keep_days=DAYS)) == [(claimed.job_id, claimed.owner_id)]

    def test_a_child_that_nobody_saw_is_found_by_its_lease(self, lab: Lab, owner: UUID) -> None:
        before = lab.as_engine(fleet.clock())
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        pid = lab.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", claimed.job_id)
        later = lab.as_engine(fleet.clock())
        # it claimed after the list was made, or is on it
        assert lab.as_engine(fleet.bury_unseen(lab.worker_id, [1], before)) == 0
        assert lab.as_engine(fleet.bury_unseen(lab.worker_id, [pid], later)) == 0
        assert lab.as_engine(fleet.bury_unseen(lab.enter(), [1], later)) == 0
        assert lab.as_engine(fleet.bury_unseen(lab.worker_id, [1], later)) == 1
        assert lab.as_engine(repair.rescue(keep_days=DAYS)) == [(claimed.job_id, owner)]

    def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        lab.as_owner(owner, requests.cancel(owner, claimed.job_id, keep_days=DAYS))
        lab.past(claimed.job_id, lease_until=1)
        lab.as_engine(repair.rescue(keep_days=DAYS))
        assert lab.status(claimed.job_id) == "cancelled"


class TestGiveBack:
    def test_the_claim_is_not_counted(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        assert lab.as_owner(owner, settle.give_back(claimed.job_id, claimed.fence))
        assert lab.stores.one("SELECT attempt FROM jobs WHERE id = %s", claimed.job_id) == 0
        assert taken(lab.claim(claimed.job_id)).attempt == 1


class TestCancel:
    def test_a_queued_job_ends_at_once(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        lab.as_owner(owner, requests.cancel(owner, job_id, keep_days=DAYS))
        assert lab.status(job_id) == "cancelled"
        assert lab.claim(job_id) is None

    def test_is_idempotent_and_changes_no_ended_job(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        succeed(lab, claimed)
        for _ in range(2):
            lab.as_owner(owner, requests.cancel(owner, claimed.job_id, keep_days=DAYS))
        assert lab.status(claimed.job_id) == "succeeded"

    def test_a_worker_that_does_not_obey_is_cut_off(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        lab.as_owner(owner, requests.cancel(owner, claimed.job_id, keep_days=DAYS))
        assert lab.as_engine(repair.end_overdue(keep_days=DAYS)) == []
        lab.past(claimed.job_id, cancel_requested_at=6)
        assert lab.as_engine(repair.end_overdue(keep_days=DAYS)) == [
            (claimed.job_id, claimed.owner_id)
        ]
        assert lab.status(claimed.job_id) == "cancelled"
        assert not succeed(lab, claimed)

    def test_not_of_another_users_job(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        stranger = lab.make_user()
        with pytest.raises(JobNotFound):
            lab.as_owner(stranger, requests.cancel(stranger, job_id, keep_days=DAYS))
        # even where the query forgot to ask for the owner, the database would not
        with pytest.raises(JobNotFound):
            lab.as_owner(stranger, requests.cancel(owner, job_id, keep_days=DAYS))
        assert lab.status(job_id) == "queued"


class TestFinish:
    def test_is_an_order_to_the_run(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner).job_id))
        kinds = {NAP.name: NAP}
        lab.as_owner(owner, requests.finish(owner, claimed.job_id, kinds))
        orders = lab.as_engine(running.orders([claimed.job_id], [claimed.fence]))
        assert orders[claimed.fence].finish

    def test_makes_no_sense_without_a_result(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        lab.as_owner(owner, requests.cancel(owner, job_id, keep_days=DAYS))
        with pytest.raises(JobFinished):
            lab.as_owner(owner, requests.finish(owner, job_id, {NAP.name: NAP}))


class TestTime:
    def test_a_deadline_ends_a_queued_job(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner, deadline_s=60).job_id
        assert lab.as_engine(repair.end_overdue(keep_days=DAYS)) == []
        lab.past(job_id, deadline_at=0)
        assert lab.claim(job_id) is None
        lab.as_engine(repair.end_overdue(keep_days=DAYS))
        assert lab.status(job_id) == "failed"
        error = lab.stores.one("SELECT error FROM job_payloads WHERE job_id = %s", job_id)
        assert (error["error_code"], error["retryable"]) == ("DEADLINE_EXCEEDED", False)

    def test_a_deadline_ends_a_running_job(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner, deadline_s=60).job_id))
        lab.past(claimed.job_id, deadline_at=0)
        orders = lab.as_engine(running.orders([claimed.job_id], [claimed.fence]))
        assert orders[claimed.fence].past_deadline
        lab.as_engine(repair.end_overdue(keep_days=DAYS))
        assert lab.status(claimed.job_id) == "failed"
        assert not succeed(lab, claimed)

    def test_a_job_that_starts_too_late_expires(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner, start_within_s=60).job_id
        lab.past(job_id, start_by=0)
        assert lab.claim(job_id) is None
        lab.as_engine(repair.end_overdue(keep_days=DAYS))
        assert lab.status(job_id) == "expired"
        assert lab.events(job_id) == ["job.queued", "job.expired"]

    def test_a_started_job_does_not_expire(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab.claim(lab.submit(owner, start_within_s=60).job_id))
        lab.as_owner(owner, settle.try_again(claimed.job_id, claimed.fence, BUSY, 0))
        lab.past(claimed.job_id, start_by=0)
        lab.as_engine(repair.end_overdue(keep_days=DAYS))
        assert lab.status(claimed.job_id) == "queued"
        taken(lab.claim(claimed.job_id, attempt=1))


class TestPrune:
    def test_takes_what_has_outlived_its_keeping(self, lab: Lab, owner: UUID) -> None:
        old = taken(lab.claim(lab.submit(owner).job_id))
        new = taken(lab.claim(lab.submit(owner).job_id))
        succeed(lab, old)
        succeed(lab, new)
        lab.past(old.job_id, expires_at=1)
        while lab.as_engine(repair.prune()):
            pass
        for table in ("job_events", "job_payloads", "job_runs", "job_attempts"):
            query = f"SELECT count(DISTINCT job_id) FROM {table} WHERE job_id = ANY(%s)"
            assert lab.stores.one(query, [old.job_id, new.job_id]) == 1
        assert lab.status(new.job_id) == "succeeded"

    def test_leaves_unfinished_jobs(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        while lab.as_engine(repair.prune()):
            pass
        assert lab.status(job_id) == "queued"


class TestWorkers:
    def test_a_beat_of_the_dead_is_refused(self, lab: Lab) -> None:
        name = f"io-{uuid4()}"
        first = lab.enter(name, Lane.IO)
        assert lab.as_engine(fleet.beat(first, 2))
        lab.enter(name, Lane.IO)
        assert not lab.as_engine(fleet.beat(first, 2))

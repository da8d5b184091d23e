"""Why a job waits: each reason where it is true, and none where it is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from core.kind import Lane, Priority
from models.job import Status
from services.jobs import fleet, repair, requests, settle
from services.jobs.admission import Caps, admit, unadmit
from services.jobs.claim import Claimed
from services.jobs.errors import JobNotFound, job_error
from services.jobs.explain import Explanation, Reason, explain
from tests.faults.kinds import NAP
from tests.lab import DAYS, Lab

BUSY = job_error("BUSY", "Later.", status=503, retryable=True)


def explained(lab: Lab, owner: UUID, job_id: UUID, **more: Any) -> Explanation:
    return lab.as_owner(owner, explain(owner, job_id, **more))


def codes(found: Explanation) -> list[str]:
    return [reason.code.value for reason in found.waits_for]


def reason(found: Explanation, code: str) -> Reason:
    return next(each for each in found.waits_for if each.code == code)


def taken(claimed: Claimed | None) -> Claimed:
    assert claimed is not None
    return claimed


def fill_lane(lab: Lab) -> list[UUID]:
    """Others' jobs: both slots at work, and the broker's queue full."""
    other = lab.make_user()
    made = [lab.submit(other).job_id for _ in range(6)]
    lab.as_engine(admit(Lane.COMPUTE))
    for job_id in made[:2]:
        taken(lab.claim(job_id))
    lab.as_engine(admit(Lane.COMPUTE))
    return made


class TestAJobThatNothingStandsBefore:
    def test_is_about_to_be_admitted(self, lab: Lab, owner: UUID) -> None:
        found = explained(lab, owner, lab.submit(owner).job_id)
        assert codes(found) == ["ADMISSION"]
        assert (found.status, found.attempt, found.queue_position) == (Status.QUEUED, 0, 1)
        assert (found.admitted_at, found.bounds) == (None, [])

    def test_is_admitted_and_waits_for_a_worker_to_take_it(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner, admit=True).job_id
        found = explained(lab, owner, job_id)
        assert codes(found) == ["ADMITTED"]
        assert found.admitted_at == lab.stores.one(
            "SELECT admitted_at FROM jobs WHERE id = %s", job_id
        )

    def test_waits_for_nothing_while_it_runs_and_when_it_has_ended(
        self, lab: Lab, owner: UUID
    ) -> None:
        run = taken(lab.claim(lab.submit(owner).job_id))
        assert codes(explained(lab, owner, run.job_id)) == []
        lab.as_owner(owner, settle.settle(run.job_id, run.fence, Status.SUCCEEDED, keep_days=DAYS))
        found = explained(lab, owner, run.job_id)
        assert (found.status, codes(found), found.bounds) == (Status.SUCCEEDED, [], [])


class TestAnAttemptBefore:
    def test_that_erred_leaves_a_back_off_and_its_reason(self, lab: Lab, owner: UUID) -> None:
        run = taken(lab.claim(lab.submit(owner).job_id))
        lab.as_owner(owner, settle.try_again(run.job_id, run.fence, BUSY, 60))
        found = explained(lab, owner, run.job_id)
        assert codes(found) == ["RETRYING", "BACK_OFF"]
        assert reason(found, "RETRYING").error == BUSY
        assert reason(found, "BACK_OFF").until == lab.stores.one(
            "SELECT ready_at FROM jobs WHERE id = %s", run.job_id
        )
        lab.past(run.job_id, ready_at=0)
        assert codes(explained(lab, owner, run.job_id)) == ["RETRYING", "ADMISSION"]

    def test_that_lost_its_worker_is_named(self, lab: Lab, owner: UUID) -> None:
        run = taken(lab.claim(lab.submit(owner).job_id))
        lab.past(run.job_id, lease_until=1)
        found = explained(lab, owner, run.job_id)
        assert (found.status, codes(found)) == (Status.RUNNING, ["WORKER_SILENT"])
        lab.as_engine(repair.rescue(keep_days=DAYS))
        found = explained(lab, owner, run.job_id)
        error = reason(found, "RETRYING").error
        assert error is not None
        assert error["error_code"] == "WORKER_LOST"

    def test_whose_process_died_is_known_at_once(self, lab: Lab, owner: UUID) -> None:
        run = taken(lab.claim(lab.submit(owner).job_id))
        pid = lab.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", run.job_id)
        lab.as_engine(fleet.bury(lab.worker_id, [pid]))
        assert codes(explained(lab, owner, run.job_id)) == ["WORKER_SILENT"]

    def test_that_was_given_back_is_named(self, lab: Lab, owner: UUID) -> None:
        run = taken(lab.claim(lab.submit(owner).job_id))
        lab.as_owner(owner, settle.give_back(run.job_id, run.fence))
        found = explained(lab, owner, run.job_id)
        assert codes(found) == ["RETRYING", "ADMISSION"]
        assert "told to go" in reason(found, "RETRYING").detail


class TestTheQueue:
    def test_counts_own_and_others_apart(self, lab: Lab, owner: UUID) -> None:
        fill_lane(lab)
        mine = [lab.submit(owner).job_id for _ in range(3)]
        found = explained(lab, owner, mine[2])
        assert codes(found) == ["QUEUE", "LANE_FULL"]
        assert found.queue_position is not None
        counts = reason(found, "QUEUE").counts
        assert counts == {"own": 2, "others": found.queue_position - 3}
        assert reason(found, "LANE_FULL").counts == {"slots": 2, "running": 2, "sent": 4}

    @pytest.mark.parametrize("admitted", [False, True])
    def test_of_the_first_of_others_is_no_reason(
        self, lab: Lab, owner: UUID, admitted: bool
    ) -> None:
        job_id = lab.submit(owner, admit=admitted).job_id
        lab.submit(lab.make_user())
        assert "QUEUE" not in codes(explained(lab, owner, job_id))

    def test_before_a_batch_job_has_interactive_ones_for_a_minute(
        self, lab: Lab, owner: UUID
    ) -> None:
        fill_lane(lab)
        job_id = lab.submit(owner, priority=Priority.BATCH).job_id
        own = lab.submit(owner).job_id
        found = explained(lab, owner, job_id)
        assert codes(found) == ["QUEUE", "YIELDS", "LANE_FULL"]
        assert reason(found, "QUEUE").counts["own"] == 1
        ready_at = lab.stores.one("SELECT ready_at FROM jobs WHERE id = %s", job_id)
        assert reason(found, "YIELDS").until == ready_at + timedelta(minutes=1)
        assert "YIELDS" not in codes(explained(lab, owner, own))
        lab.past(job_id, ready_at=61)
        assert "YIELDS" not in codes(explained(lab, owner, job_id))


class TestCaps:
    def test_of_the_owner(self, lab: Lab, owner: UUID) -> None:
        taken(lab.claim(lab.submit(owner).job_id))
        waits = lab.submit(owner).job_id
        found = explained(lab, owner, waits, caps=Caps(per_user=1))
        assert codes(found) == ["OWN_CAP"]
        assert reason(found, "OWN_CAP").counts == {"under_way": 1, "limit": 1}
        assert lab.as_engine(admit(Lane.COMPUTE, caps=Caps(per_user=1))) == []
        assert "OWN_CAP" not in codes(explained(lab, owner, waits, caps=Caps(per_user=2)))

    def test_of_a_kind_count_all_users(self, lab: Lab, owner: UUID) -> None:
        taken(lab.claim(lab.submit(lab.make_user()).job_id))
        waits = lab.submit(owner).job_id
        caps = Caps(per_kind={NAP.name: 1})
        found = explained(lab, owner, waits, caps=caps)
        assert codes(found) == ["KIND_CAP"]
        assert reason(found, "KIND_CAP").counts == {"under_way": 1, "limit": 1}
        assert lab.as_engine(admit(Lane.COMPUTE, caps=caps)) == []
        assert "KIND_CAP" not in codes(explained(lab, owner, waits, caps=Caps(per_kind={"x": 0})))


class TestTheLane:
    @pytest.mark.parametrize("how", ["left", "silent", "drains"])
    def test_without_a_worker(self, lab: Lab, owner: UUID, how: str) -> None:
        if how == "left":
            lab.as_engine(fleet.leave(lab.worker_id))
        elif how == "drains":
            lab.as_engine(fleet.drain(lab.worker_id))
        else:
            with lab.stores.sql() as connection:
                connection.execute("UPDATE workers SET beat_at = now() - interval '31 s'")
        job_id = lab.submit(owner).job_id
        found = explained(lab, owner, job_id)
        assert "NO_WORKER" in codes(found)
        draining = int(how == "drains")
        assert reason(found, "NO_WORKER").counts == {"workers": 0, "draining": draining}
        lab.as_engine(admit(Lane.COMPUTE))
        assert codes(explained(lab, owner, job_id)) == ["ADMITTED", "NO_WORKER"]
        lab.enter()
        assert "NO_WORKER" not in codes(explained(lab, owner, job_id))

    def test_with_all_slots_busy(self, lab: Lab, owner: UUID) -> None:
        other = lab.make_user()
        for _ in range(2):
            taken(lab.claim(lab.submit(other).job_id))
        job_id = lab.submit(owner, admit=True).job_id
        found = explained(lab, owner, job_id)
        assert codes(found) == ["ADMITTED", "SLOTS_BUSY"]
        assert reason(found, "SLOTS_BUSY").counts == {"slots": 2, "running": 2}


class TestTheBroker:
    def test_that_has_not_delivered_is_behind(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner, admit=True).job_id
        lab.past(job_id, admitted_at=4)
        found = explained(lab, owner, job_id)
        assert codes(found) == ["ADMITTED", "BROKER_BEHIND"]

    def test_that_was_sent_it_again_is_behind(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner, admit=True).job_id
        with lab.stores.sql() as connection:
            connection.execute("UPDATE jobs SET admissions = 2 WHERE id = %s", (job_id,))
        found = explained(lab, owner, job_id)
        assert codes(found) == ["ADMITTED", "BROKER_BEHIND"]
        assert reason(found, "ADMITTED").counts == {"times": 2}

    def test_that_takes_nothing_is_behind(self, lab: Lab, owner: UUID) -> None:
        """As housekeeping leaves a job whose message it could not send."""
        job_id = lab.submit(owner).job_id
        lab.as_engine(admit(Lane.COMPUTE))
        lab.as_engine(unadmit([job_id]))
        assert codes(explained(lab, owner, job_id)) == ["ADMISSION"]
        assert codes(explained(lab, owner, job_id, broker_away=True)) == ["BROKER_BEHIND"]
        lab.past(job_id, ready_at=4, created_at=4)
        assert codes(explained(lab, owner, job_id)) == ["BROKER_BEHIND"]


class TestWhatItsOwnerWants:
    def test_of_a_run_is_told(self, lab: Lab, owner: UUID) -> None:
        run = taken(lab.claim(lab.submit(owner).job_id))
        lab.as_owner(owner, requests.finish(owner, run.job_id, {NAP.name: NAP}))
        assert codes(explained(lab, owner, run.job_id)) == ["FINISH_REQUESTED"]
        lab.as_owner(owner, requests.cancel(owner, run.job_id, keep_days=DAYS))
        assert codes(explained(lab, owner, run.job_id)) == ["CANCEL_REQUESTED"]
        lab.as_owner(owner, settle.try_again(run.job_id, run.fence, BUSY, 60))
        assert codes(explained(lab, owner, run.job_id)) == ["RETRYING", "CANCEL_REQUESTED"]


class TestBounds:
    def test_are_the_times_that_end_it(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner, deadline_s=60, start_within_s=30).job_id
        bounds = explained(lab, owner, job_id).bounds
        assert [each.code for each in bounds] == ["START_BY", "DEADLINE"]
        columns = "SELECT ARRAY[start_by, deadline_at] FROM jobs WHERE id = %s"
        assert [each.until for each in bounds] == lab.stores.one(columns, job_id)
        taken(lab.claim(job_id))
        assert [each.code for each in explained(lab, owner, job_id).bounds] == ["DEADLINE"]


class TestAStranger:
    def test_is_told_nothing(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        stranger = lab.make_user()
        for asked in (stranger, owner):  # with our filter, and by the policy alone
            with pytest.raises(JobNotFound):
                lab.as_owner(stranger, explain(asked, job_id))

"""A new job that takes the place of older ones: in one transaction, and of exactly its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from core.kind import Kind
from models.job import Status
from services.jobs import repair, requests, settle
from services.jobs.errors import TooManyJobs, job_error
from services.jobs.submit import IdempotencyKey, Limits, retry
from tests.faults.kinds import BLINK, NAP
from tests.lab import DAYS, Lab

TAG = "trip:1"


def column(lab: Lab, job_id: UUID, name: str) -> Any:
    return lab.stores.one(f"SELECT {name} FROM jobs WHERE id = %s", job_id)


def last_event(lab: Lab, job_id: UUID) -> tuple[str, dict[str, Any]]:
    with lab.stores.sql() as connection:
        row = connection.execute(
            "SELECT type, data FROM job_events WHERE job_id = %s ORDER BY seq DESC LIMIT 1",
            (job_id,),
        ).fetchone()
    assert row is not None
    return row[0], row[1]


class TestTheOlderJob:
    def test_ends_at_once_where_it_waits_and_its_log_says_why(self, lab: Lab, owner: UUID) -> None:
        old = lab.submit(owner, tags=["a", TAG]).job_id
        new = lab.submit(owner, supersedes=TAG)
        assert lab.status(old) == "cancelled"
        assert column(lab, old, "superseded_by") == new.job_id
        assert lab.events(old) == ["job.queued", "job.cancelled"]
        assert last_event(lab, old) == ("job.cancelled", {"superseded_by": str(new.job_id)})
        assert list(new.superseded) == [old]
        assert lab.status(new.job_id) == "queued"

    @pytest.mark.parametrize("how", ["obeys", "is lost", "does not obey", "errs"])
    def test_is_asked_to_stop_where_it_runs(self, lab: Lab, owner: UUID, how: str) -> None:
        old = lab.submit(owner, tags=[TAG]).job_id
        claimed = lab.claim(old)
        assert claimed is not None
        new = lab.submit(owner, supersedes=TAG).job_id
        assert lab.status(old) == "running"
        assert column(lab, old, "cancel_requested_at") is not None
        if how == "obeys":
            steps = settle.settle(old, claimed.fence, Status.CANCELLED, keep_days=DAYS)
            assert lab.as_owner(owner, steps)
        elif how == "is lost":
            lab.past(old, lease_until=1)
            lab.as_engine(repair.rescue(keep_days=DAYS))
        elif how == "does not obey":
            lab.past(old, cancel_requested_at=6)
            lab.as_engine(repair.end_overdue(keep_days=DAYS))
        else:
            busy = job_error("BUSY", "Later.", retryable=True)
            lab.as_owner(owner, settle.after_error(claimed, busy, base_s=0, keep_days=DAYS))
            lab.as_engine(repair.end_overdue(keep_days=DAYS))
        assert lab.status(old) == "cancelled"
        assert last_event(lab, old) == ("job.cancelled", {"superseded_by": str(new)})
        assert lab.status(new) == "queued"

    def test_stays_with_its_first_successor(self, lab: Lab, owner: UUID) -> None:
        old = lab.submit(owner, tags=[TAG]).job_id
        assert lab.claim(old) is not None
        second = lab.submit(owner, supersedes=TAG).job_id
        third = lab.submit(owner, supersedes=TAG).job_id
        assert column(lab, old, "superseded_by") == second
        assert column(lab, second, "superseded_by") == third

    @pytest.mark.parametrize("ends", ["succeeds", "is cancelled"])
    def test_stays_as_it_is_once_it_has_ended(self, lab: Lab, owner: UUID, ends: str) -> None:
        old = lab.submit(owner, tags=[TAG]).job_id
        if ends == "succeeds":
            claimed = lab.claim(old)
            assert claimed is not None
            lab.as_owner(
                owner,
                settle.settle(old, claimed.fence, Status.SUCCEEDED, result={}, keep_days=DAYS),
            )
        else:
            lab.as_owner(owner, requests.cancel(owner, old, keep_days=DAYS))
        events = lab.events(old)
        assert list(lab.submit(owner, supersedes=TAG).superseded) == []
        assert (column(lab, old, "superseded_by"), lab.events(old)) == (None, events)


class TestAnyOtherJob:
    @pytest.mark.parametrize("other", ["kind", "tag", "no tag", "user"])
    def test_is_left_alone(self, lab: Lab, owner: UUID, other: str) -> None:
        kind: Kind[Any, Any] = BLINK if other == "kind" else NAP
        tags = {"tag": ["trip:2"], "no tag": []}.get(other, [TAG])
        whose = lab.make_user() if other == "user" else owner
        job_id = lab.submit(whose, kind, tags=tags).job_id
        assert list(lab.submit(owner, supersedes=TAG).superseded) == []
        assert lab.status(job_id) == "queued"

    def test_with_the_tag_may_be_submitted_beside_it(self, lab: Lab, owner: UUID) -> None:
        first = lab.submit(owner, supersedes=TAG).job_id
        lab.submit(owner, tags=[TAG])
        assert lab.status(first) == "queued"


class TestTheNewJob:
    def test_carries_the_tag_once(self, lab: Lab, owner: UUID) -> None:
        made = lab.submit(owner, tags=["a"], supersedes=TAG)
        assert made.view is not None
        assert made.view.tags == column(lab, made.job_id, "tags") == ["a", TAG]
        again = lab.submit(owner, tags=[TAG], supersedes=TAG).job_id
        assert column(lab, again, "tags") == [TAG]

    def test_of_a_retry_takes_the_place_again(self, lab: Lab, owner: UUID) -> None:
        old = lab.submit(owner, supersedes=TAG).job_id
        newer = lab.submit(owner, supersedes=TAG).job_id
        again = lab.as_owner(owner, retry(owner, old, {NAP.name: NAP}))
        assert column(lab, newer, "superseded_by") == again.job_id
        assert lab.status(again.job_id) == "queued"


class TestAReplay:
    def test_takes_no_place_again(self, lab: Lab, owner: UUID) -> None:
        key = IdempotencyKey.of("k", "POST", "/api/v1/routes", {})
        first = lab.submit(owner, key=key, supersedes=TAG).job_id
        second = lab.submit(owner, supersedes=TAG).job_id
        replayed = lab.submit(owner, key=key, supersedes=TAG)
        assert (replayed.job_id, replayed.replayed) == (first, True)
        assert lab.status(second) == "queued"


class TestTheQuota:
    @pytest.mark.parametrize(
        "limits", [Limits(unfinished=1), Limits(unfinished_by_kind={"nap": 1})]
    )
    @pytest.mark.parametrize("runs", [False, True])
    def test_is_left_to_the_new_job_at_once(
        self, lab: Lab, owner: UUID, limits: Limits, runs: bool
    ) -> None:
        old = lab.submit(owner, tags=[TAG], limits=limits).job_id
        if runs:
            assert lab.claim(old) is not None
        lab.submit(owner, supersedes=TAG, limits=limits)
        with pytest.raises(TooManyJobs):
            lab.submit(owner, limits=limits)

    def test_that_is_used_up_by_others_leaves_everything_as_it_was(
        self, lab: Lab, owner: UUID
    ) -> None:
        old = lab.submit(owner, tags=[TAG]).job_id
        lab.submit(owner)
        with pytest.raises(TooManyJobs):
            lab.submit(owner, supersedes=TAG, limits=Limits(unfinished=1))
        assert (lab.status(old), lab.events(old)) == ("queued", ["job.queued"])


class TestAtOnce:
    def test_exactly_one_stays(self, lab: Lab, owner: UUID) -> None:
        """Rounds of submits in one moment, with one running job before them."""
        count = 6
        with ThreadPoolExecutor(count) as pool:
            for number in range(6):
                tag = f"trip:{number}"
                runs = lab.submit(owner, tags=[tag]).job_id
                assert lab.claim(runs) is not None
                start = threading.Barrier(count)

                def one(_: int, tag: str = tag, start: threading.Barrier = start) -> UUID:
                    start.wait()
                    return lab.submit(owner, supersedes=tag).job_id

                made = list(pool.map(one, range(count)))
                stays = [job_id for job_id in made if lab.status(job_id) == "queued"]
                assert len(stays) == 1
                followed = {column(lab, job_id, "superseded_by") for job_id in (runs, *made)}
                # a chain: each but the last has a successor, and no two have the same
                assert followed == {None, *made}
                for job_id in {*made} - {*stays}:
                    assert lab.events(job_id) == ["job.queued", "job.cancelled"]

"""Several jobs in one transaction: in their order, within the quota, once per key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from core.kind import Kind
from services.jobs import views
from services.jobs.batch import Batch, submit_batch
from services.jobs.errors import KeyReused, TooManyJobs
from services.jobs.submit import Entry, IdempotencyKey, Limits, NewJob
from tests.faults.kinds import BLINK, DOZE, NAP
from tests.lab import Lab


def new(kind: Kind[Any, Any] = NAP, **more: Any) -> NewJob:
    return NewJob(kind, {"seconds": 0}, **more)


def batch(lab: Lab, owner: UUID, *jobs: NewJob, **more: Any) -> Batch:
    entry = more.pop("entry", Entry())
    wanted = [(job, None) for job in jobs]
    return lab.as_owner(owner, submit_batch(owner, wanted, entry=entry, **more))


def key_of(name: str = "k", body: object = "one") -> IdempotencyKey:
    return IdempotencyKey.of(name, "POST", "/api/v1/jobs:batch", body)


class TestABatch:
    def test_is_written_in_its_order(self, lab: Lab, owner: UUID) -> None:
        made = batch(lab, owner, new(), new(BLINK, tags=["a"]), new(DOZE))
        found, total = lab.as_owner(
            owner, views.page(owner, views.Filter(oldest_first=True), limit=9, offset=0)
        )
        assert total == 3
        assert [view.id for view in found] == made.job_ids
        assert [view.kind for view in found] == ["nap", "blink", "doze"]
        assert [view.queue_position for view in found] == [1, 2, 1]
        for job_id in made.job_ids:
            assert lab.events(job_id) == ["job.queued"]

    def test_is_admitted_as_far_as_there_is_room(self, lab: Lab, owner: UUID) -> None:
        made = batch(lab, owner, *(new() for _ in range(6)), entry=Entry(admit=True))
        # the lab has two slots
        assert [one.message is not None for one in made.made] == [True] * 4 + [False] * 2

    def test_supersedes_as_if_each_came_alone(self, lab: Lab, owner: UUID) -> None:
        old = lab.submit(owner, tags=["t"]).job_id
        made = batch(lab, owner, new(supersedes="t"), new(), new(supersedes="t"))
        assert [lab.status(job_id) for job_id in [old, *made.job_ids]] == [
            *("cancelled", "cancelled", "queued", "queued"),
        ]

    def test_that_supersedes_in_another_order_waits_for_no_one_for_ever(
        self, lab: Lab, owner: UUID
    ) -> None:
        """Two batches that take the same places in opposite order would be a deadlock."""
        tags = [f"t{n}" for n in range(10)]

        def one(number: int) -> Batch:
            order = tags if number % 2 else tags[::-1]
            return batch(lab, owner, *(new(supersedes=tag) for tag in order))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(12)))
        query = "SELECT count(*) FROM jobs WHERE owner_id = %s AND finished_at IS NULL"
        assert lab.stores.one(query, owner) == len(tags)


class TestTheQuota:
    @pytest.mark.parametrize(
        "limits", [Limits(unfinished=3), Limits(unfinished_by_kind={"nap": 3})]
    )
    def test_holds_all_or_none(self, lab: Lab, owner: UUID, limits: Limits) -> None:
        lab.submit(owner)
        with pytest.raises(TooManyJobs):
            batch(lab, owner, new(), new(), new(), entry=Entry(limits))
        assert lab.stores.one("SELECT count(*) FROM jobs WHERE owner_id = %s", owner) == 1
        assert len(batch(lab, owner, new(), new(), entry=Entry(limits)).made) == 2


class TestTheKey:
    def test_makes_one_batch_of_many_at_once(self, lab: Lab, owner: UUID) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(
                pool.map(lambda _: batch(lab, owner, new(), new(), key=key_of()), range(16))
            )
        assert len({tuple(one.job_ids) for one in made}) == 1
        assert [one.replayed for one in made].count(False) == 1
        assert lab.stores.one("SELECT count(*) FROM jobs WHERE owner_id = %s", owner) == 2

    def test_of_a_batch_of_one_is_replayed_as_well(self, lab: Lab, owner: UUID) -> None:
        first = batch(lab, owner, new(), key=key_of())
        assert batch(lab, owner, new(), key=key_of()) == Batch(first.job_ids)

    def test_with_another_batch_is_refused(self, lab: Lab, owner: UUID) -> None:
        batch(lab, owner, new(), new(), key=key_of())
        with pytest.raises(KeyReused):
            batch(lab, owner, new(), key=key_of(body="other"))

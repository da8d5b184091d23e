"""Accepting work: keys, quotas, and what the broker is given."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from core.database import perform
from core.ids import new_id
from core.kind import Lane
from services.jobs import views
from services.jobs.admission import admit, readmit, unadmit
from services.jobs.errors import JobNotFound, KeyInFlight, KeyReused, TooManyJobs
from services.jobs.submit import KEY_WAIT_S, IdempotencyKey, Limits, take_key
from tests.lab import Lab

BODY = {"stops": [1, 2]}


def key_of(key: str, body: object = BODY) -> IdempotencyKey:
    return IdempotencyKey.of(key, "POST", "/api/v1/routes", body)


class TestIdempotencyKey:
    def test_a_storm_of_repeats_makes_one_job(self, lab: Lab, owner: UUID) -> None:
        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda _: lab.submit(owner, key=key_of("storm")), range(50)))
        assert len({one.job_id for one in made}) == 1
        assert [one.replayed for one in made].count(False) == 1
        assert lab.stores.one("SELECT count(*) FROM jobs WHERE owner_id = %s", owner) == 1

    def test_another_body_is_refused(self, lab: Lab, owner: UUID) -> None:
        lab.submit(owner, key=key_of("k"))
        with pytest.raises(KeyReused):
            lab.submit(owner, key=key_of("k", {"stops": []}))

    def test_members_in_another_order_are_the_same_body(self) -> None:
        one, other = key_of("k", {"a": 1, "b": 2}), key_of("k", {"b": 2, "a": 1})
        assert one.fingerprint == other.fingerprint

    def test_belongs_to_one_user(self, lab: Lab, owner: UUID) -> None:
        first = lab.submit(owner, key=key_of("k"))
        second = lab.submit(lab.make_user(), key=key_of("k"))
        assert first.job_id != second.job_id

    def test_is_free_again_after_a_day(self, lab: Lab, owner: UUID) -> None:
        first = lab.submit(owner, key=key_of("k"))
        with lab.stores.sql() as connection:
            connection.execute("UPDATE idempotency_keys SET expires_at = now()")
        second = lab.submit(owner, key=key_of("k"))
        assert second.job_id != first.job_id
        assert not second.replayed

    def test_is_free_again_when_the_first_request_failed(self, lab: Lab, owner: UUID) -> None:
        lab.submit(owner)
        with pytest.raises(TooManyJobs):
            lab.submit(owner, key=key_of("k"), limits=Limits(unfinished=1))
        assert not lab.submit(owner, key=key_of("k")).replayed

    def test_waits_for_the_first_request_only_so_long(self, lab: Lab, owner: UUID) -> None:
        with lab.app.transaction(owner) as session:
            perform(session, take_key(owner, key_of("k"), 202, new_id()))
            began = time.monotonic()
            with pytest.raises(KeyInFlight):
                lab.submit(owner, key=key_of("k"))
            assert KEY_WAIT_S <= time.monotonic() - began < KEY_WAIT_S + 2


class TestQuota:
    def test_counts_unfinished_jobs_of_the_owner_alone(self, lab: Lab, owner: UUID) -> None:
        lab.submit(lab.make_user())
        lab.submit(owner, limits=Limits(unfinished=2))
        lab.submit(owner, limits=Limits(unfinished=2))
        with pytest.raises(TooManyJobs):
            lab.submit(owner, limits=Limits(unfinished=2))


class TestAdmission:
    def test_is_first_come_first_served(self, lab: Lab, owner: UUID) -> None:
        lab.enter(slots=10)
        ids = [lab.submit(owner).job_id for _ in range(5)]
        assert [message.job_id for message in lab.as_engine(admit(Lane.COMPUTE))] == ids

    def test_leaves_no_more_than_the_room(self, lab: Lab, owner: UUID) -> None:
        ids = [lab.submit(owner).job_id for _ in range(10)]
        first = lab.as_engine(admit(Lane.COMPUTE))  # the lab has two slots
        assert [message.job_id for message in first] == ids[:4]
        assert lab.as_engine(admit(Lane.COMPUTE)) == []
        assert lab.claim(ids[0]) is not None
        assert [m.job_id for m in lab.as_engine(admit(Lane.COMPUTE))] == [ids[4]]

    def test_never_hands_a_job_out_twice(self, lab: Lab, owner: UUID) -> None:
        lab.enter(slots=100)
        ids = {lab.submit(owner).job_id for _ in range(40)}
        with ThreadPoolExecutor(8) as pool:
            batches = list(pool.map(lambda _: lab.as_engine(admit(Lane.COMPUTE)), range(8)))
        handed = [message.job_id for message in itertools.chain(*batches)]
        assert sorted(handed) == sorted(ids)

    def test_knows_its_lane(self, lab: Lab, owner: UUID) -> None:
        lab.submit(owner)
        assert lab.as_engine(admit(Lane.IO)) == []

    def test_can_be_taken_back(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        lab.as_engine(admit(Lane.COMPUTE))
        lab.as_engine(unadmit([job_id]))
        assert lab.stores.one("SELECT admissions FROM jobs WHERE id = %s", job_id) == 0
        assert [message.job_id for message in lab.as_engine(admit(Lane.COMPUTE))] == [job_id]


class TestAdmissionAtTheSubmit:
    def test_of_a_job_that_nobody_stands_before(self, lab: Lab, owner: UUID) -> None:
        submitted = lab.submit(owner, admit=True)
        assert submitted.message is not None
        assert (submitted.message.job_id, submitted.message.attempt) == (submitted.job_id, 0)
        assert lab.as_engine(admit(Lane.COMPUTE)) == []
        assert lab.claim(submitted.job_id) is not None

    def test_is_left_to_those_who_can_send(self, lab: Lab, owner: UUID) -> None:
        submitted = lab.submit(owner, admit=False)
        assert submitted.message is None
        admitted = lab.as_engine(admit(Lane.COMPUTE))
        assert [message.job_id for message in admitted] == [submitted.job_id]

    def test_passes_nobody_who_waits(self, lab: Lab, owner: UUID) -> None:
        first = lab.submit(lab.make_user())
        second = lab.submit(owner, admit=True)
        assert second.message is None
        admitted = lab.as_engine(admit(Lane.COMPUTE))
        assert [message.job_id for message in admitted] == [first.job_id, second.job_id]

    def test_leaves_no_more_than_the_room(self, lab: Lab, owner: UUID) -> None:
        made = [lab.submit(owner, admit=True) for _ in range(6)]  # the lab has two slots
        assert [one.message is not None for one in made] == [True] * 4 + [False] * 2


class TestReadmission:
    def test_of_a_message_that_an_idle_lane_must_have_lost(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        lab.as_engine(admit(Lane.COMPUTE))
        assert lab.as_engine(readmit()) == 0
        lab.past(job_id, admitted_at=4)
        assert lab.as_engine(readmit()) == 1
        assert [message.job_id for message in lab.as_engine(admit(Lane.COMPUTE))] == [job_id]

    def test_waits_longer_each_time(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        for wait_s in (3, 6, 12):
            lab.as_engine(admit(Lane.COMPUTE))
            lab.past(job_id, admitted_at=wait_s - 1)
            assert lab.as_engine(readmit()) == 0
            lab.past(job_id, admitted_at=wait_s + 1)
            assert lab.as_engine(readmit()) == 1

    def test_is_patient_while_all_slots_are_busy(self, lab: Lab, owner: UUID) -> None:
        ids = [lab.submit(owner).job_id for _ in range(3)]
        lab.as_engine(admit(Lane.COMPUTE))
        for job_id in ids[:2]:
            assert lab.claim(job_id) is not None
        lab.past(ids[2], admitted_at=30)
        assert lab.as_engine(readmit()) == 0
        lab.past(ids[2], admitted_at=61)
        assert lab.as_engine(readmit()) == 1


class TestViews:
    def test_rank_counts_everybody_but_shows_nobody(self, lab: Lab, owner: UUID) -> None:
        stranger = lab.make_user()
        lab.submit(stranger)
        job_id = lab.submit(owner).job_id
        assert lab.as_owner(owner, views.read(owner, job_id)).queue_position == 2
        found, total = lab.as_owner(owner, views.page(owner, views.Filter(), limit=9, offset=0))
        assert [view.id for view in found] == [job_id]
        assert total == 1

    def test_a_stranger_sees_nothing(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        stranger = lab.make_user()
        with pytest.raises(JobNotFound):
            lab.as_owner(stranger, views.read(stranger, job_id))
        with pytest.raises(JobNotFound):
            lab.as_owner(stranger, views.read(owner, job_id))

    def test_a_fresh_job_reads_as_it_was_answered(self, lab: Lab, owner: UUID) -> None:
        submitted = lab.submit(owner, deadline_s=60, tags=["a"])
        assert submitted.view == lab.as_owner(owner, views.read(owner, submitted.job_id))

    def test_pages_filter_and_sort(self, lab: Lab, owner: UUID) -> None:
        ids = [lab.submit(owner, tags=[f"t{n % 2}"]).job_id for n in range(5)]
        which = views.Filter(tag="t0", oldest_first=True)
        found, total = lab.as_owner(owner, views.page(owner, which, limit=2, offset=1))
        assert ([view.id for view in found], total) == ([ids[2], ids[4]], 3)

"""Whose turn it is: between users, between priorities, and under caps."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from core.kind import Lane, Priority
from services.jobs import views
from services.jobs.admission import Caps, admit
from services.jobs.errors import TooManyJobs
from services.jobs.submit import Limits
from tests.faults.kinds import BLINK, NAP
from tests.lab import Lab

COMPUTE = Lane.COMPUTE


def admitted(lab: Lab, caps: Caps | None = None, room: int = 2) -> list[UUID]:
    steps = admit(COMPUTE, room, caps) if caps else admit(COMPUTE, room)
    return [message.job_id for message in lab.as_engine(steps)]


class TestUsers:
    def test_a_thousand_of_one_stand_behind_the_first_of_another(self, lab: Lab) -> None:
        flood, guest = lab.make_user(), lab.make_user()
        many = [lab.submit(flood).job_id for _ in range(1000)]
        one = lab.submit(guest)
        assert one.view is not None
        assert one.view.queue_position == 2
        assert admitted(lab)[:2] == [many[0], one.job_id]

    def test_what_one_has_under_way_counts_against_its_next(self, lab: Lab) -> None:
        busy, idle = lab.make_user(), lab.make_user()
        running = lab.submit(busy).job_id
        lab.claim(running)
        waiting = [lab.submit(busy).job_id for _ in range(2)]
        theirs = [lab.submit(idle).job_id for _ in range(2)]
        assert admitted(lab) == [theirs[0], waiting[0], theirs[1], waiting[1]]

    def test_those_alike_go_by_age(self, lab: Lab) -> None:
        users = [lab.make_user() for _ in range(4)]
        jobs = [[lab.submit(user).job_id for user in users] for _ in range(2)]
        lab.enter(slots=10)
        assert admitted(lab) == [*jobs[0], *jobs[1]]


class TestAdmissionInBulk:
    def test_waits_until_every_other_slot_could_have_a_message(self, lab: Lab, owner: UUID) -> None:
        lab.enter(slots=10)  # and two of the lab
        for _ in range(60):
            lab.submit(owner)
        sent = admitted(lab)
        assert len(sent) == 24
        for job_id in sent[:5]:
            assert lab.claim(job_id) is not None
        assert lab.as_engine(admit(COMPUTE, in_bulk=True)) == []
        assert lab.claim(sent[5]) is not None
        assert len(lab.as_engine(admit(COMPUTE, in_bulk=True))) == 6

    def test_of_one_slot_does_not_wait(self, lab: Lab, owner: UUID) -> None:
        with lab.stores.sql() as connection:
            connection.execute("UPDATE workers SET slots = 1")
        for _ in range(9):
            lab.submit(owner)
        sent = admitted(lab)
        assert lab.claim(sent[0]) is not None
        assert len(lab.as_engine(admit(COMPUTE, in_bulk=True))) == 1


class TestPriorities:
    def test_batch_yields_for_a_minute_and_no_longer(self, lab: Lab) -> None:
        user, other = lab.make_user(), lab.make_user()
        batch = lab.submit(user, priority=Priority.BATCH).job_id
        quick = [lab.submit(other).job_id for _ in range(5)]
        assert admitted(lab) == quick[:4]
        lab.past(batch, ready_at=61)
        lab.enter(slots=10)
        assert admitted(lab) == [batch, quick[4]]

    def test_a_kind_may_be_batch_by_itself(self, lab: Lab, owner: UUID) -> None:
        made = lab.submit(owner, NAP)
        asked = lab.submit(owner, NAP, priority=Priority.BATCH)
        query = "SELECT priority FROM jobs WHERE id = %s"
        assert lab.stores.one(query, made.job_id) == NAP.priority == "interactive"
        assert lab.stores.one(query, asked.job_id) == "batch"


class TestCaps:
    def test_of_a_user_leave_room_to_others(self, lab: Lab) -> None:
        lab.enter(slots=50)
        user, other = lab.make_user(), lab.make_user()
        mine = [lab.submit(user).job_id for _ in range(10)]
        theirs = lab.submit(other).job_id
        caps = Caps(per_user=3)
        assert set(admitted(lab, caps)) == {*mine[:3], theirs}
        assert admitted(lab, caps) == []
        assert lab.claim(mine[0]) is not None  # running still counts
        assert admitted(lab, caps) == []

    def test_of_a_kind_hold_for_all_users_and_hold_no_other_kind_up(self, lab: Lab) -> None:
        user, other = lab.make_user(), lab.make_user()
        blinks = [lab.submit(who, BLINK).job_id for who in (user, other) for _ in range(5)]
        nap = lab.submit(user, NAP).job_id
        caps = Caps(per_kind={"blink": 2})
        assert admitted(lab, caps) == [blinks[0], blinks[5]]
        assert admitted(lab, caps) == [nap]
        assert admitted(lab, caps) == []

    def test_are_kept_at_the_submit_as_well(self, lab: Lab, owner: UUID) -> None:
        lab.enter(slots=50)
        one = Limits(caps=Caps(per_user=1))
        assert lab.submit(owner, admit=True, limits=one).message is not None
        assert lab.submit(owner, admit=True, limits=one).message is None
        none = Limits(caps=Caps(per_kind={"nap": 5}))
        assert lab.submit(lab.make_user(), admit=True, limits=none).message is None

    def test_of_unfinished_jobs_by_kind(self, lab: Lab, owner: UUID) -> None:
        limits = Limits(unfinished_by_kind={"nap": 1})
        lab.submit(owner, NAP, limits=limits)
        lab.submit(owner, BLINK, limits=limits)
        with pytest.raises(TooManyJobs):
            lab.submit(owner, NAP, limits=limits)


class TestTheRank:
    @pytest.mark.parametrize(
        ("seed", "people", "jobs"), [*((seed, 4, 40) for seed in range(6)), (6, 130, 150)]
    )
    def test_is_the_order_of_admission(self, lab: Lab, seed: int, people: int, jobs: int) -> None:
        """Whatever waits, runs and is with the broker: both say the same to every user."""
        dice = random.Random(seed)
        users = [lab.make_user() for _ in range(people)]
        owner_of: dict[UUID, UUID] = {}
        for number in range(jobs):
            user = dice.choice(users)
            priority = dice.choice([Priority.INTERACTIVE, Priority.INTERACTIVE, Priority.BATCH])
            job_id = lab.submit(user, priority=priority).job_id
            owner_of[job_id] = user
            lab.past(job_id, ready_at=dice.choice([0, 5, 30, 90, 200]))
            if number == 10:
                for known in dice.sample(list(owner_of), 3):
                    lab.claim(known)
                admitted(lab, room=1)
        waiting = [
            job_id
            for job_id in owner_of
            if lab.stores.one(
                "SELECT status = 'queued' AND admitted_at IS NULL FROM jobs WHERE id = %s", job_id
            )
        ]
        sent = lab.stores.one(
            "SELECT count(*) FROM jobs WHERE status = 'queued' AND admitted_at IS NOT NULL"
        )
        told = {
            job_id: lab.as_owner(user, views.read(user, job_id)).queue_position
            for job_id, user in owner_of.items()
        }
        swept = {spot.job_id: spot.position for spot in lab.as_engine(views.positions(waiting))}
        lab.enter(slots=1000)
        order = admitted(lab)
        assert set(order) == set(waiting)
        assert [told[job_id] for job_id in order] == list(range(sent + 1, sent + 1 + len(order)))
        assert swept == {job_id: told[job_id] for job_id in order}

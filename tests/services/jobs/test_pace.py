"""The estimates from Postgres: who is seen, what is written, and that one word is said to all."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from core.kind import Lane
from models.job import Status
from services.jobs import fleet, pace, settle, views
from services.jobs.forecast import Newcomers
from services.jobs.pace import UNKNOWN_PACE, Pace, StartsIn
from tests.faults.kinds import BLINK, NAP
from tests.lab import Lab


def ended(lab: Lab, owner: UUID, seconds: float, times: int = 1) -> None:
    """History: naps that took so long."""
    for _ in range(times):
        claimed = lab.claim(lab.submit(owner).job_id)
        assert claimed is not None
        with lab.stores.sql() as connection:
            connection.execute(
                "UPDATE job_attempts SET started_at = started_at - make_interval(secs => %s)"
                " WHERE fence = %s",
                (seconds, claimed.fence),
            )
        done = settle.settle(
            claimed.job_id, claimed.fence, Status.SUCCEEDED, keep_days=1, result={}
        )
        assert lab.as_owner(owner, done)


def queued_event(lab: Lab, job_id: UUID) -> dict[str, object]:
    query = "SELECT data FROM job_events WHERE job_id = %s AND type = 'job.queued'"
    return dict(lab.stores.one(query, job_id))


def told(lab: Lab, owner: UUID, job_id: UUID, known: Pace) -> StartsIn | None:
    return known.starts_in_of(lab.as_owner(owner, views.read(owner, job_id)))


class TestALook:
    def test_sees_who_works_runs_waits_and_comes(self, lab: Lab, owner: UUID) -> None:
        other = lab.make_user()
        run = lab.submit(owner).job_id
        assert lab.claim(run) is not None
        mine = [lab.submit(owner, BLINK).job_id for _ in range(2)]
        theirs = lab.submit(other).job_id
        with lab.stores.sql() as connection:  # all within one second
            connection.execute(
                "UPDATE jobs SET created_at = date_trunc('second', now()) + n * interval '1 ms'"
                " FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM jobs) o"
                " WHERE o.id = jobs.id"
            )
        sight = lab.as_engine(pace.look([mine[1], run]))
        lane = sight.lanes["compute"]
        assert (lane.slots, lane.free, [kind for kind, _ in lane.running]) == (2, 1, ["nap"])
        # the other's first has turn 1, one that runs and two that wait make turns 2 and 3
        assert (list(lane.ahead), list(lane.turns)) == (["nap", "blink", "blink"], [1, 2, 3])
        # each of mine that came in that second has a later turn than the one before
        assert set(lane.newcomers) == {
            *(Newcomers(4, "nap", 1), Newcomers(5, "blink", 1), Newcomers(6, "blink", 1)),
            Newcomers(2, "nap", 1),
        }
        assert [(spot.job_id, spot.position) for spot in sight.spots] == [(mine[1], 3)]
        assert theirs not in {spot.job_id for spot in sight.spots}

    def test_sees_no_slot_of_a_worker_that_drains(self, lab: Lab, owner: UUID) -> None:
        run = lab.submit(owner).job_id
        lab.claim(run)
        lab.as_engine(fleet.drain(lab.worker_id))
        lab.enter(slots=3)
        lane = lab.as_engine(pace.look()).lanes["compute"]
        assert (lane.slots, list(lane.running)) == (3, [])


class TestTheEstimate:
    def test_is_the_same_in_the_log_and_in_the_answer(self, lab: Lab, owner: UUID) -> None:
        ended(lab, owner, 20, times=5)
        for _ in range(2):
            lab.claim(lab.submit(owner).job_id)
        known = lab.as_engine(pace.pace(["nap"]))
        for _ in range(20):
            made = lab.submit(owner, pace=known)
            assert made.view is not None
            said = known.starts_in_of(made.view)
            assert said is not None
            event = queued_event(lab, made.job_id)
            assert event["starts_in_s"] == {"p50": said.p50, "p90": said.p90}
            assert event["eta_s"] == known.eta_s(made.view)
            assert said.p50 <= said.p90

    def test_grows_with_the_queue_by_what_such_jobs_take(self, lab: Lab, owner: UUID) -> None:
        ended(lab, owner, 20, times=10)
        for _ in range(2):
            lab.claim(lab.submit(owner).job_id)
        waiting = [lab.submit(owner).job_id for _ in range(21)]
        known = lab.as_engine(pace.pace(["nap"]))
        first, last = (told(lab, owner, waiting[n], known) for n in (0, -1))
        assert first is not None
        assert last is not None
        assert first.p50 == pytest.approx(20, abs=5)
        assert last.p50 == pytest.approx(220, rel=0.2)
        view = lab.as_owner(owner, views.read(owner, waiting[-1]))
        assert known.eta_s(view) == last.p50 + 20

    def test_is_none_where_nothing_is_known_and_once_it_has_started(
        self, lab: Lab, owner: UUID
    ) -> None:
        job_id = lab.submit(owner).job_id
        assert queued_event(lab, job_id)["starts_in_s"] is None
        assert told(lab, owner, job_id, UNKNOWN_PACE) is None
        known = lab.as_engine(pace.pace([]))
        assert told(lab, owner, job_id, known) == StartsIn(0, 1)
        lab.claim(job_id)
        assert told(lab, owner, job_id, known) is None

    def test_knows_of_slots_that_were_taken_since(self, lab: Lab, owner: UUID) -> None:
        ended(lab, owner, 30, times=5)
        seen = lab.as_engine(pace.pace(["nap"]))
        known = Pace(seen.seconds, seen.starts, Counter({"compute": 2}))
        made = lab.submit(owner, pace=known)
        assert made.view is not None
        assert made.view.queue_position == 1
        said = known.starts_in_of(made.view)
        assert said is not None
        assert said.p50 >= 20
        assert queued_event(lab, made.job_id)["starts_in_s"] == {"p50": said.p50, "p90": said.p90}

    def test_is_no_sooner_than_the_next_attempt(self, lab: Lab, owner: UUID) -> None:
        claimed = lab.claim(lab.submit(owner).job_id)
        assert claimed is not None
        lab.as_owner(
            owner, settle.try_again(claimed.job_id, claimed.fence, {"retryable": True}, 90)
        )
        said = told(lab, owner, claimed.job_id, lab.as_engine(pace.pace(["nap"])))
        assert said is not None
        assert 88 <= said.p50 <= said.p90 <= 90

    def test_of_one_lane_says_nothing_of_another(self, lab: Lab, owner: UUID) -> None:
        lab.enter(lane=Lane.IO, slots=1)
        for _ in range(5):
            lab.submit(owner, NAP)
        known = lab.as_engine(pace.pace([]))
        assert known.starts_in("io", 1) == StartsIn(0, 1)
        assert known.starts_in("compute", 5) is None

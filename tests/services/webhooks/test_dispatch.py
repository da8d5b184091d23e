"""Whose message goes next, how often it is tried, and one dead endpoint being nobody's trouble."""

from __future__ import annotations

from uuid import UUID

import pytest

from core.kind import Lane
from services.jobs import fleet, repair
from services.jobs.counters import WEBHOOK_ATTEMPTS_FAILED, WEBHOOK_DELIVERIES_FAILED
from services.jobs.figures import read_figures
from services.webhooks import attempts, deliveries, dispatch, endpoints
from services.webhooks.attempts import EXHAUSTIONS, SCHEDULE_S, next_delay
from services.webhooks.dispatch import PER_ENDPOINT, PER_OWNER, UNSERVED
from services.webhooks.errors import WebhookDisabled
from services.webhooks.sender import Answer
from tests.lab import Lab
from tests.services.webhooks.conftest import Desk


class TestTurns:
    def test_are_an_owners_then_the_next_owners(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        """A thousand messages of one user delay another's first by nothing."""
        lab.enter(lane=Lane.IO, slots=16)
        flood = desk.endpoint(owner)
        desk.deliver(owner, flood, 200)
        other = lab.make_user()
        mine = desk.deliver(other, desk.endpoint(other), 2)
        sent = desk.admitted()
        assert len(sent) == PER_ENDPOINT + 2
        assert set(mine) & set(sent[:2])
        assert desk.admitted() == []

    def test_of_one_owner_are_few_at_once(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        lab.enter(lane=Lane.IO, slots=100)
        for _ in range(5):
            desk.deliver(owner, desk.endpoint(owner), 3)
        assert len(desk.admitted()) == PER_OWNER

    def test_leave_half_of_the_lane_to_jobs(self, lab: Lab, desk: Desk) -> None:
        lab.enter(lane=Lane.IO, slots=16)
        for _ in range(12):
            somebody = lab.make_user()
            desk.deliver(somebody, desk.endpoint(somebody))
        assert len(desk.admitted()) == 8
        assert desk.admitted() == []

    def test_are_few_where_nobody_serves(self, lab: Lab, desk: Desk) -> None:
        for _ in range(9):
            somebody = lab.make_user()
            desk.deliver(somebody, desk.endpoint(somebody))
        assert len(desk.admitted()) == UNSERVED

    def test_pass_over_what_is_off_or_not_due(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner)
        (early, late) = desk.deliver(owner, hook, 2)
        off = desk.endpoint(owner)
        desk.deliver(owner, off)
        with lab.stores.sql() as connection:
            connection.execute("UPDATE webhook_endpoints SET enabled = false WHERE id = %s", (off,))
            connection.execute(
                "UPDATE webhook_deliveries SET due_at = now() + interval '1 minute' WHERE id = %s",
                (late,),
            )
        assert desk.admitted() == [early]


class TestAFailingEndpoint:
    def test_gets_one_message_at_a_time_and_rests(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner)
        waiting = desk.deliver(owner, hook, 10)
        desk.attempt(waiting[0], 500)
        assert desk.state(hook)[4] is None
        assert len(desk.admitted()) == 1
        for each in waiting[1:6]:
            desk.attempt(each, 500)
        assert 10 < desk.state(hook)[4] <= 32
        assert desk.admitted() == []
        for each in waiting[6:]:
            desk.attempt(each, 500)
        assert 200 < desk.state(hook)[4] <= 300

    def test_is_forgiven_by_a_success(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner)
        waiting = desk.deliver(owner, hook, 4)
        for each in waiting[:3]:
            desk.attempt(each, 503)
        desk.attempt(waiting[3], 200)
        assert desk.state(hook) == (True, None, 0, 0, None)

    def test_is_seen_by_operators(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        with lab.stores.sql() as connection:
            connection.execute("DELETE FROM counters")
        hook, gone = desk.endpoint(owner), desk.endpoint(owner)
        waiting = [*desk.deliver(owner, hook, 3), *desk.deliver(owner, gone)]
        seen = lab.as_engine(read_figures([]))
        assert (seen.webhooks.due, seen.webhooks.resting, seen.webhooks.disabled) == (4, 0, 0)
        assert 0 < seen.webhooks.outbox_age_s < 60
        for each, status in zip(waiting, (500, 500, 200, 410), strict=True):
            desk.attempt(each, status)
        desk.due(waiting[0])
        seen = lab.as_engine(read_figures([]))
        assert seen.counts[WEBHOOK_ATTEMPTS_FAILED] == 3
        assert seen.counts[WEBHOOK_DELIVERIES_FAILED] == 1
        assert (seen.webhooks.due, seen.webhooks.disabled) == (1, 1)

    def test_is_switched_off_by_410(self, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner)
        gone, other = desk.deliver(owner, hook, 2)
        desk.attempt(gone, 410)
        assert desk.state(hook)[:2] == (False, "GONE")
        assert desk.rows(hook, "status") == ["failed", "pending"]
        assert desk.claim(other) is None
        assert desk.admitted() == []

    def test_is_switched_off_when_messages_run_out_of_attempts_in_a_row(
        self, lab: Lab, desk: Desk, owner: UUID
    ) -> None:
        hook = desk.endpoint(owner)
        for n, each in enumerate(desk.deliver(owner, hook, EXHAUSTIONS)):
            assert desk.state(hook)[0], n
            for attempt in range(len(SCHEDULE_S)):
                desk.attempt(each, 500, attempt)
        assert desk.state(hook)[:2] == (False, "FAILING")
        assert set(desk.rows(hook, "status")) == {"failed"}
        # its owner mends it: what failed may be sent again, and starts from the beginning
        (one, *_) = desk.rows(hook, "id")
        with pytest.raises(WebhookDisabled):
            lab.as_owner(owner, deliveries.replay(owner, hook, one))
        steps = endpoints.change(owner, hook, lambda view: {**view.written(), "enabled": True})
        assert lab.as_owner(owner, steps).disabled_reason is None
        assert desk.state(hook) == (True, None, 0, 0, None)
        replayed = lab.as_owner(owner, deliveries.replay(owner, hook, one))
        assert (replayed.status, replayed.attempts) == ("pending", 10)
        assert desk.admitted() == [one]


class TestTheSchedule:
    def test_is_the_specifications_with_some_jitter(self) -> None:
        assert SCHEDULE_S == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
        for tries, delay in enumerate(SCHEDULE_S[1:], 1):
            found = [next_delay(tries) for _ in range(20)]
            assert all(one is not None and delay <= one <= delay * 1.1 for one in found)
            assert len(set(found)) > 1
        assert next_delay(len(SCHEDULE_S)) is None

    def test_is_kept_by_each_delivery(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner)
        (one,) = desk.deliver(owner, hook)
        for attempt, delay in enumerate(SCHEDULE_S[1:]):
            desk.attempt(one, 500, attempt)
            due = lab.stores.one(
                "SELECT extract(epoch FROM due_at - (log -> -1 ->> 'at')::timestamptz)::float8"
                " FROM webhook_deliveries"
            )
            assert delay <= due <= delay * 1.1
        view = lab.as_owner(owner, deliveries.read(owner, hook, one))
        assert [entry["status"] for entry in view.log] == [500] * 9


class TestWhatIsLost:
    def test_with_the_broker_is_sent_again(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        (one,) = desk.deliver(owner, desk.endpoint(owner))
        assert desk.admitted() == [one]
        assert lab.as_engine(dispatch.recover()) == 0
        assert lab.as_engine(dispatch.recover(patience_s=0)) == 1
        assert desk.admitted() == [one]

    def test_because_it_was_not_sent_is_taken_back(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        (one,) = desk.deliver(owner, desk.endpoint(owner))
        desk.admitted()
        lab.as_engine(dispatch.unsend([one]))
        assert desk.admitted() == [one]

    def test_with_a_worker_is_freed_and_the_dead_hand_is_refused(
        self, lab: Lab, desk: Desk, owner: UUID
    ) -> None:
        hook = desk.endpoint(owner)
        (one,) = desk.deliver(owner, hook)
        dead = desk.claim(one)
        assert dead is not None
        assert desk.claim(one) is None
        assert desk.claim(one, 1) is None
        lab.as_engine(fleet.leave(lab.worker_id))
        assert lab.as_engine(dispatch.recover()) == 1
        assert not lab.as_engine(attempts.end(dead, Answer(200, None, 1)))
        assert desk.rows(hook, "status, attempts") == [("pending", 1)]

    def test_by_a_lease_that_ended_is_freed(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        (one,) = desk.deliver(owner, desk.endpoint(owner))
        assert desk.claim(one, lease_s=-1) is not None
        assert lab.as_engine(dispatch.recover()) == 1


class TestPruning:
    def test_takes_what_is_old_and_what_has_no_endpoint(
        self, lab: Lab, desk: Desk, owner: UUID
    ) -> None:
        hook = desk.endpoint(owner)
        old, new = desk.deliver(owner, hook, 2)
        with lab.stores.sql() as connection:
            connection.execute(
                "UPDATE webhook_deliveries SET created_at = now() - interval '31 days'"
                " WHERE id = %s",
                (old,),
            )
            # written by a transaction that had seen the endpoint just before it was deleted
            connection.execute(
                "INSERT INTO webhook_deliveries (owner_id, endpoint_id, type, event_at)"
                " VALUES (%s, gen_random_uuid(), 'webhook.ping', now())",
                (owner,),
            )
        while lab.as_engine(repair.prune()):
            pass
        with lab.stores.sql() as connection:
            left = connection.execute("SELECT id FROM webhook_deliveries").fetchall()
        assert left == [(new,)]

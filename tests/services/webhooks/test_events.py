"""A delivery is written with the event it tells of, by whichever way the event comes."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.database import perform
from models.job import Status
from services.jobs import repair, requests, settle
from services.jobs.claim import Claimed
from services.jobs.errors import job_error
from tests.faults.kinds import BLINK, NAP
from tests.lab import DAYS, Lab
from tests.services.webhooks.conftest import ALL_EVENTS, Desk


def running(lab: Lab, owner: UUID, **more: object) -> Claimed:
    claimed = lab.claim(lab.submit(owner, **more).job_id)  # type: ignore[arg-type]
    assert claimed is not None
    return claimed


class TestAnEvent:
    def test_that_ends_a_job_is_told_of(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner)
        done, failed, stopped = (running(lab, owner) for _ in range(3))
        for claimed, status in ((done, Status.SUCCEEDED), (stopped, Status.CANCELLED)):
            steps = settle.settle(claimed.job_id, claimed.fence, status, keep_days=DAYS)
            assert lab.as_owner(owner, steps)
        error = job_error("BROKEN", "It broke.")
        assert lab.as_engine(settle.after_error(failed, error, base_s=0, keep_days=DAYS))
        assert sorted(desk.rows(hook)) == sorted(
            [*["job.started"] * 3, "job.succeeded", "job.failed", "job.cancelled"]
        )
        assert desk.rows(hook, "job_id, seq, type")[3] == (done.job_id, 3, "job.succeeded")

    def test_that_nobodys_request_wrote_is_told_of(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        """Cancelled while it waits, expired, overdue, lost: as role `engine`, in bulk."""
        hook = desk.endpoint(owner, events=[e for e in ALL_EVENTS if e != "job.started"])
        waiting = lab.submit(owner).job_id
        lab.as_owner(owner, requests.cancel(owner, waiting, keep_days=DAYS))
        expired = lab.submit(owner, start_within_s=60).job_id
        lab.past(expired, start_by=1)
        lost = running(lab, owner)
        lab.past(lost.job_id, lease_until=1)
        with lab.stores.sql() as connection:
            connection.execute("UPDATE jobs SET crashes = 2 WHERE id = %s", (lost.job_id,))
        lab.as_engine(repair.end_overdue(keep_days=DAYS))
        lab.as_engine(repair.rescue(keep_days=DAYS))
        assert sorted(desk.rows(hook)) == ["job.cancelled", "job.expired", "job.failed"]

    def test_that_is_rolled_back_is_not(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner, events=["job.succeeded"])
        claimed = running(lab, owner)
        steps = settle.settle(claimed.job_id, claimed.fence, Status.SUCCEEDED, keep_days=DAYS)
        with lab.app.transaction(owner) as session:
            assert perform(session, steps)
            session.rollback()
        assert desk.rows(hook) == []

    def test_is_for_those_who_asked_for_it(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        stranger = lab.make_user()
        hooks = {
            "all": desk.endpoint(owner),
            "off": desk.endpoint(owner, enabled=False),
            "ends": desk.endpoint(owner, events=["job.succeeded", "job.cancelled"]),
            "kind": desk.endpoint(owner, kinds=["blink", "other"]),
            "tag": desk.endpoint(owner, tags=["trip:1", "trip:2"]),
            "both": desk.endpoint(owner, kinds=["nap"], tags=["trip:1"]),
            "foreign": desk.endpoint(stranger),
        }
        running(lab, owner)
        running(lab, owner, kind=BLINK)
        running(lab, owner, kind=NAP, tags=["trip:1", "x"])
        running(lab, owner, kind=BLINK, tags=["trip:3"])
        counts = {name: len(desk.rows(hook)) for name, hook in hooks.items()}
        assert counts == {
            "all": 4,
            "off": 0,
            "ends": 0,
            "kind": 2,
            "tag": 1,
            "both": 1,
            "foreign": 0,
        }

    def test_of_no_interest_costs_no_row(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook = desk.endpoint(owner)
        lab.submit(owner)
        assert desk.rows(hook) == []


class TestRights:
    def test_the_engine_cannot_read_secrets(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        desk.endpoint(owner)
        for column in ("secret", "old_secret", "url", "*"):
            with pytest.raises(ProgrammingError), lab.engine.transaction() as session:
                session.execute(text(f"SELECT {column} FROM webhook_endpoints"))

    def test_an_owner_sees_no_others(self, lab: Lab, desk: Desk, owner: UUID) -> None:
        hook, stranger = desk.endpoint(owner), lab.make_user()
        desk.deliver(owner, hook)
        with lab.app.transaction(stranger) as session:
            for table in ("webhook_endpoints", "webhook_deliveries"):
                assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
            touched = session.execute(text("UPDATE webhook_endpoints SET enabled = false"))
            assert touched.rowcount == 0  # type: ignore[attr-defined]

    def test_deliveries_go_with_their_endpoint_or_user(
        self, lab: Lab, desk: Desk, owner: UUID
    ) -> None:
        first, second = desk.endpoint(owner), desk.endpoint(owner)
        desk.deliver(owner, first)
        desk.deliver(owner, second)
        with lab.app.transaction(owner) as session:
            session.execute(text("DELETE FROM webhook_endpoints WHERE id = :id"), {"id": first})
        assert (desk.rows(first), len(desk.rows(second))) == ([], 1)
        with lab.stores.sql() as connection:
            connection.execute("DELETE FROM users WHERE id = %s", (owner,))
        assert desk.rows(second) == []

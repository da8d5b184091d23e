"""One attempt from claim to end, in this process: what becomes of every way a body can go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.kind import JobFailed, Kind, Lane, Run
from services.jobs.claim import Claimed
from tasks.base import Body, Keep, live
from tests.faults.kinds import NAP, Nap, Rest, count_effect, rest
from tests.lab import Lab, in_this_process
from tests.stack import Stores


@pytest.fixture
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    with in_this_process(made):
        yield made
    made.close()


def attempt(
    lab: Lab, body: Body[Nap, Rest] = rest, keep: Keep[Nap, Rest] | None = count_effect
) -> UUID:
    """Run one attempt of a new job."""
    job_id = lab.submit(lab.make_user(), NAP, seconds=0).job_id
    live(NAP, body, keep, job_id, 0)
    return job_id


def error_of(lab: Lab, job_id: UUID) -> dict[str, object]:
    found: dict[str, object] = lab.stores.one(
        "SELECT error FROM job_payloads WHERE job_id = %s", job_id
    )
    return found


def effects(lab: Lab, job_id: UUID) -> int:
    return int(lab.stores.one("SELECT count(*) FROM effects WHERE job_id = %s", job_id))


class TestAResult:
    def test_commits_with_what_it_changes(self, lab: Lab) -> None:
        job_id = attempt(lab)
        assert lab.status(job_id) == "succeeded"
        assert effects(lab, job_id) == 1

    def test_that_cannot_be_kept_fails_the_job_and_leaves_nothing(self, lab: Lab) -> None:
        def keep(session: Session, claimed: Claimed, request: Nap, result: Rest) -> Rest:
            count_effect(session, claimed, request, result)
            session.execute(text("SELECT 1/0"))
            return result

        job_id = attempt(lab, keep=keep)
        assert lab.status(job_id) == "failed"
        assert error_of(lab, job_id)["error_code"] == "INTERNAL_ERROR"
        assert effects(lab, job_id) == 0

    def test_that_the_database_cannot_hold_fails_the_job(self, lab: Lab) -> None:
        class Odd(Rest):
            text: str

        def body(_request: Nap, _run: Run) -> Rest:
            return Odd(steps=0, text="\x00")

        job_id = attempt(lab, body, keep=None)
        assert error_of(lab, job_id)["error_code"] == "INTERNAL_ERROR"

    def test_may_not_be_written_into_another_account(self, lab: Lab) -> None:
        stranger = lab.submit(lab.make_user(), NAP).job_id

        def keep(session: Session, _claimed: Claimed, _request: Nap, result: Rest) -> Rest:
            # row-level security: a wrong `keep` finds nobody else's rows
            changed = session.execute(
                text("UPDATE jobs SET tags = '{mine}' WHERE id = :id"), {"id": stranger}
            )
            assert changed.rowcount == 0  # type: ignore[attr-defined]
            return result

        assert lab.status(attempt(lab, keep=keep)) == "succeeded"


class TestASupersededRun:
    @pytest.mark.parametrize("keep", [count_effect, None])
    def test_changes_nothing_any_more(self, keep: Any, lab: Lab) -> None:
        """Its worker has not heard of it yet, and comes to its end."""
        owner = lab.make_user()
        old = lab.submit(owner, NAP, tags=["trip"], seconds=0).job_id
        newer: list[UUID] = []

        def body(request: Nap, run: Run) -> Rest:
            newer.append(lab.submit(owner, NAP, supersedes="trip").job_id)
            return Rest(steps=1)

        assert live(NAP, body, keep, old, 0) == "superseded"
        assert (lab.status(old), effects(lab, old)) == ("cancelled", 0)
        by = lab.stores.one("SELECT superseded_by FROM jobs WHERE id = %s", old)
        assert [by] == newer
        assert lab.stores.one("SELECT result FROM job_payloads WHERE job_id = %s", old) is None
        assert lab.stores.one("SELECT outcome FROM job_attempts WHERE job_id = %s", old) == (
            "cancelled"
        )
        assert lab.events(old)[-1] == "job.cancelled"


class TestAnError:
    def test_of_the_job_is_told_to_its_owner(self, lab: Lab) -> None:
        def body(_request: Nap, _run: Run) -> Rest:
            raise JobFailed("NO_ROAD", "There is no road.", extra={"stops": ["a"]})

        job_id = attempt(lab, body)
        error = error_of(lab, job_id)
        assert (error["error_code"], error["status"], error["stops"]) == ("NO_ROAD", 422, ["a"])
        assert lab.events(job_id) == ["job.queued", "job.started", "job.failed"]

    def test_of_ours_says_nothing_of_its_cause(self, lab: Lab) -> None:
        def body(_request: Nap, _run: Run) -> Rest:
            raise KeyError("password=hunter2")

        job_id = attempt(lab, body)
        assert error_of(lab, job_id)["error_code"] == "INTERNAL_ERROR"
        assert "hunter2" not in str(error_of(lab, job_id))

    def test_that_another_attempt_may_not_meet_puts_it_back(self, lab: Lab) -> None:
        def body(_request: Nap, _run: Run) -> Rest:
            raise JobFailed("BUSY", "Later.", status=503, retryable=True)

        job_id = attempt(lab, body)
        assert lab.status(job_id) == "queued"
        assert lab.events(job_id)[-1] == "job.retrying"

    def test_a_bad_model_inside_of_a_body_is_our_bug(self, lab: Lab) -> None:
        def body(_request: Nap, _run: Run) -> Rest:
            return Rest.model_validate({})

        assert error_of(lab, attempt(lab, body))["error_code"] == "INTERNAL_ERROR"


class TestAnInput:
    def test_of_another_release_is_refused_without_a_run(self, lab: Lab) -> None:
        class Narrow(BaseModel):
            colour: str

        kind = Kind("narrow", Narrow, Rest, lane=Lane.COMPUTE)
        job_id = lab.submit(lab.make_user(), NAP).job_id

        def body(_request: Narrow, _run: Run) -> Rest:
            raise AssertionError("must not run")

        live(kind, body, None, job_id, 0)
        assert error_of(lab, job_id)["error_code"] == "INPUT_NOT_UNDERSTOOD"


class TestAMessage:
    def test_for_a_job_that_is_not_there_does_nothing(self, lab: Lab) -> None:
        job_id = attempt(lab)
        assert live(NAP, rest, count_effect, job_id, 0) == "not there to take"
        assert effects(lab, job_id) == 1

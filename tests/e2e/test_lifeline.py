"""Clocks of a job that nobody works at, seen by its owner: start-by time and deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests import sse, stack
from tests.conftest import User
from tests.errands import Errands, url
from tests.lab import Lab
from tests.stack import Stores


@pytest.fixture
def errands(stores: Stores, user: User) -> Iterator[Errands]:
    """With a lifeline of its own: tests that follow in this process move their jobs by hand."""
    housekeeping = stack.housekeeping(stores)
    lab = Lab(stores)
    yield Errands(lab, user.id)
    lab.close()
    housekeeping.stop()


class TestAClock:
    async def test_that_runs_out_before_the_start_expires_the_job(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.submit(start_within_s=0.2)
        began = time.monotonic()
        last = (await sse.whole(user.http, url(job_id, "/events")))[-1]
        assert time.monotonic() - began < 8  # most of it is the start of the process
        assert last.event == "job.expired"
        job = last.data["job"]
        assert (job["status"], job["attempt"], job["error"]) == ("expired", 0, None)
        assert job["finished_at"] >= job["start_by"]

    async def test_that_runs_out_in_the_queue_or_under_way_fails_the_job(
        self, user: User, errands: Errands
    ) -> None:
        """A worker that hangs learns nothing of the deadline; the lifeline ends its job."""
        queued, held = errands.submit(deadline_s=0.2), errands.submit(deadline_s=0.5)
        claimed = errands.claim(held)
        for job_id in (queued, held):
            last = (await sse.whole(user.http, url(job_id, "/events")))[-1]
            error = last.data["job"]["error"]
            assert (last.event, error["error_code"]) == ("job.failed", "DEADLINE_EXCEEDED")
            assert error["retryable"] is False
        with pytest.raises(AssertionError):
            errands.succeed(claimed)
        assert (await user.http.get(url(held))).json()["data"]["status"] == "failed"

    async def test_of_a_cancel_that_nobody_obeys_runs_out_as_well(
        self, user: User, errands: Errands
    ) -> None:
        job_id = errands.submit()
        errands.claim(job_id)
        began = time.monotonic()
        await user.http.post(url(job_id, "/cancel"))
        last = (await sse.whole(user.http, url(job_id, "/events")))[-1]
        assert last.event == "job.cancelled"
        assert time.monotonic() - began < 12

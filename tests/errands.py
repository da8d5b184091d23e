"""Jobs moved by hand, one step at a time, and read over HTTP: no worker runs their lane."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import redis
from pydantic import BaseModel

from core.broker import HINTS, write_hints
from core.kind import Kind, Lane
from models.job import Status
from services.jobs import running, settle
from services.jobs.claim import Claimed
from services.jobs.errors import job_error
from services.jobs.settle import after_error
from tests.lab import DAYS, Lab

#: Longer than any test: nobody repairs what a test holds.
LEASE_S = 600.0


class Parcel(BaseModel):
    what: str = "a parcel"


class Receipt(BaseModel):
    steps: int = 0


ERRAND = Kind("errand", Parcel, Receipt, lane=Lane.IO, improves=True)
DULL_ERRAND = Kind("dull_errand", Parcel, Receipt, lane=Lane.IO)


class Errands:
    """A user's jobs, and the hands that do them."""

    def __init__(self, lab: Lab, owner_id: str) -> None:
        self.lab = lab
        self.owner_id = UUID(owner_id)

    def submit(self, kind: Kind[Any, Any] = ERRAND, **more: Any) -> UUID:
        return self.lab.submit(self.owner_id, kind, **more).job_id

    def claim(self, job_id: UUID, attempt: int = 0) -> Claimed:
        claimed = self.lab.claim(job_id, attempt, lease_s=LEASE_S)
        assert claimed is not None
        return claimed

    def report(self, claimed: Claimed, fraction: float, **data: Any) -> int:
        """The number of the event."""
        body = {"fraction": fraction, "stage": "walking", "message": "", "data": data}
        seq = self.lab.as_engine(running.progress(claimed.job_id, claimed.fence, body))
        assert seq is not None
        return seq

    def succeed(self, claimed: Claimed, **result: Any) -> None:
        self._end(claimed, Status.SUCCEEDED, result={"steps": 1, **result})

    def stop(self, claimed: Claimed) -> None:
        self._end(claimed, Status.CANCELLED)

    def _end(self, claimed: Claimed, status: Status, **more: Any) -> None:
        steps = settle.settle(claimed.job_id, claimed.fence, status, keep_days=DAYS, **more)
        assert self.lab.as_engine(steps)

    def err(self, claimed: Claimed, *, retryable: bool) -> None:
        error = job_error("ROAD_CLOSED", "The road is closed.", status=503, retryable=retryable)
        assert self.lab.as_engine(after_error(claimed, error, base_s=0, keep_days=DAYS))

    def done(self, kind: Kind[Any, Any] = ERRAND, reports: int = 3, **more: Any) -> UUID:
        """A job that has succeeded; its log holds `reports` + 3 events."""
        job_id = self.submit(kind, **more)
        claimed = self.claim(job_id)
        for n in range(reports):
            self.report(claimed, n / reports)
        self.succeed(claimed)
        return job_id

    def hint(self, job_id: UUID) -> None:
        """Say over the broker that the log grew, as a worker does."""
        self.publish(write_hints([(job_id, self.owner_id)]))

    def publish(self, text: str) -> None:
        """Say anything where hints are heard."""
        with redis.Redis.from_url(self.lab.settings.redis_url) as client:
            client.publish(HINTS, text)


def url(job_id: UUID | str, what: str = "") -> str:
    return f"/api/v1/jobs/{job_id}{what}"


async def soon(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Poll until the condition holds, while the server in this loop goes on; its value.

    Raises:
        AssertionError: it did not hold in time.
    """
    give_up_at = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"not within {within_s} s: {condition}"
        await asyncio.sleep(0.02)
    return value

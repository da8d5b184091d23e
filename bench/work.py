"""A worker of ours with jobs that do nothing, and say when they began: `celery -A bench.work`."""

from __future__ import annotations

import os
import time

import redis
from pydantic import BaseModel

from core.kind import Kind, Lane, Run
from tasks.base import job
from workers.app import app

#: Where every side pushes the seconds from a job's submit to its start.
STARTS = "bench:starts"


class Asked(BaseModel):
    """`sent_at`: Unix time of the submit, where the start is to be told."""

    sent_at: float | None = None


class Nothing(BaseModel):
    pass


COMPUTE_NOOP = Kind("bench_compute", Asked, Nothing, lane=Lane.COMPUTE)
IO_NOOP = Kind("bench_io", Asked, Nothing, lane=Lane.IO)
OF_LANE = {Lane.COMPUTE: COMPUTE_NOOP, Lane.IO: IO_NOOP}


def tell(sent_at: float | None) -> None:
    """Write down how long it took to get here."""
    if sent_at is not None:
        waited = time.time() - sent_at
        redis.Redis.from_url(os.environ["BENCH_STARTS"]).rpush(STARTS, waited)


@job(COMPUTE_NOOP)
def compute_noop(request: Asked, _run: Run) -> Nothing:
    tell(request.sent_at)
    return Nothing()


@job(IO_NOOP)
def io_noop(request: Asked, run: Run) -> Nothing:
    return compute_noop(request, run)


__all__ = ["app"]

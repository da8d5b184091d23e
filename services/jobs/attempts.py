"""The attempts of a job: who ran each, until when it is held, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from services.jobs.errors import JobNotFound


@dataclass(frozen=True)
class AttemptView:
    """One claim of a job.

    Attributes:
        attempt: its number; a claim that was given back leaves its number to the next.
        worker: name of the worker; None where it was not written down yet (before release 0008).
        lease_until: when the job is taken from the worker unless it renews; None: nobody holds it.
        outcome: see `JobAttempt.outcome`; None while it runs.
        error: why it ended, where it ended badly.
    """

    attempt: int
    worker: str | None
    started_at: datetime
    lease_until: datetime | None
    ended_at: datetime | None
    outcome: str | None
    error: dict[str, Any] | None


_COUNT = text("""
SELECT (SELECT count(*) FROM job_attempts a WHERE a.job_id = j.id)
FROM jobs j WHERE j.id = :id AND j.owner_id = :owner
""")

# A lease that was ended because its process died is -infinity: a time that is none.
_PAGE = text("""
SELECT a.attempt, a.worker, a.started_at, a.ended_at, a.outcome, a.error,
    CASE WHEN isfinite(r.lease_until) THEN r.lease_until END AS lease_until
FROM job_attempts a LEFT JOIN job_runs r ON r.job_id = a.job_id AND r.fence = a.fence
WHERE a.job_id = :id AND a.owner_id = :owner
ORDER BY a.started_at, a.fence LIMIT :limit OFFSET :offset
""")


def page(
    owner_id: UUID, job_id: UUID, *, limit: int, offset: int
) -> Steps[tuple[list[AttemptView], int]]:
    """A page of a job's attempts, the first one first, and how many there are in all.

    Raises:
        JobNotFound
    """
    total = (yield bind(_COUNT, id=job_id, owner=owner_id)).scalar_one_or_none()
    if total is None:
        raise JobNotFound
    bound = bind(_PAGE, id=job_id, owner=owner_id, limit=limit, offset=offset)
    return [AttemptView(**row._mapping) for row in (yield bound).all()], int(total)

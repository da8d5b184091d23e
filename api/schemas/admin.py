"""What operators see and send."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.schemas.base import Body
from services.jobs.replay import MOST
from services.jobs.shown import StatusName, UtcTime


class _FromView(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AdminJobRead(_FromView):
    """A job of anybody's, without what people wrote: neither input nor result."""

    id: UUID
    owner_id: UUID
    kind: str
    lane: str
    status: StatusName
    priority: str
    attempt: int = Field(description="Claims so far; 0 before the first.")
    max_attempts: int
    errors: int = Field(description="Attempts that ended in a retryable error.")
    crashes: int = Field(description="Attempts whose worker was lost.")
    tags: list[str]
    created_at: UtcTime
    ready_at: UtcTime = Field(description="When it may start, or might have.")
    admitted_at: UtcTime | None = Field(description="When its message went to the broker.")
    admissions: int = Field(description="How often it was sent for the attempt to come.")
    started_at: UtcTime | None
    finished_at: UtcTime | None
    deadline_at: UtcTime | None
    cancel_requested_at: UtcTime | None
    error: dict[str, Any] | None
    input_size_bytes: int
    result_size_bytes: int | None
    retry_of: UUID | None
    replayed_as: UUID | None = Field(description="The job that an operator put in its place.")
    trace: str | None = Field(description="W3C trace context of the request that made it.")


class AttemptRead(_FromView):
    """One claim of a job."""

    attempt: int
    worker_id: UUID
    worker: str | None = Field(description="Its name; `null` once it is forgotten.")
    started_at: UtcTime
    ended_at: UtcTime | None
    outcome: str | None = Field(
        description="`succeeded`, `failed`, `retried`, `lost`, `cancelled`, `given_back`."
    )
    error: dict[str, Any] | None
    lease_until: UtcTime | None = Field(description="While it runs.")


class EventRead(_FromView):
    """One line of a job's log."""

    seq: int
    type: str
    at: UtcTime
    data: dict[str, Any] | None = Field(description="Where it holds nothing that people wrote.")


class AdminJobDetail(AdminJobRead):
    """A job with its history."""

    attempts: list[AttemptRead]
    events: list[EventRead] = Field(description="Newest first, 1000 at most.")


class ReplayRequest(Body):
    """Which dead letters to replay: those that were not yet, newest first."""

    kind: str | None = None
    lane: Literal["compute", "io"] | None = None
    owner_id: UUID | None = None
    error_code: str | None = Field(default=None, examples=["WORKER_LOST"])
    finished_from: AwareDatetime | None = None
    finished_to: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = MOST


class ReplayedRead(_FromView):
    """A dead letter and the job that took its place."""

    job_id: UUID
    successor_id: UUID


class ReplayedAll(BaseModel):
    """What one request replayed."""

    replayed: list[ReplayedRead]
    left: int = Field(description="Dead letters that match and have no successor, to 10,000.")


class PauseRequest(Body):
    """Why; for whoever finds it paused."""

    reason: str | None = Field(default=None, max_length=500)


class PauseRead(_FromView):
    """A kind or lane whose jobs are accepted and kept, and not begun."""

    scope: Literal["kind", "lane"]
    name: str
    reason: str | None
    paused_at: UtcTime
    paused_by: UUID
    waiting: int = Field(description="Jobs that wait because of it.")


class WorkerRead(_FromView):
    """A worker that has not ended."""

    id: UUID
    name: str
    lane: str
    slots: int
    started_at: UtcTime
    beat_at: UtcTime = Field(description="Its last sign of life; one comes every five seconds.")
    draining_at: UtcTime | None
    jobs: list[UUID] = Field(description="What it runs.")


class ActionRead(_FromView):
    """Something that an admin did."""

    id: UUID
    at: UtcTime
    admin_id: UUID
    action: str
    target: str
    details: dict[str, Any]
    request_id: str | None

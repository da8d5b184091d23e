"""The job object of the contract, as clients see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.kind import Progress
from services.artifacts.rows import ADDRESS
from services.jobs.attempts import AttemptView
from services.jobs.explain import Explanation, ReasonCode
from services.jobs.pace import Pace
from services.jobs.views import JobView

#: Whatever zone the database's session speaks, clients read UTC.
UtcTime = Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC))]

StatusName = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled", "expired"]


OutcomeName = Literal["succeeded", "failed", "retried", "lost", "cancelled", "given_back"]


class ArtifactRead(BaseModel):
    """A file that a job made."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    url: str
    expires_at: UtcTime | None = None


class JobLinks(BaseModel):
    """Where to go from here; relative to the server."""

    self: str
    events: str
    cancel: str


class ChildCounts(BaseModel):
    """The jobs that a job has started. It waits until all have ended, and holds no worker."""

    total: int
    finished: int
    failed: int = Field(description="Of the finished ones: those that did not succeed.")


class StartsIn(BaseModel):
    """When a queued job starts, in seconds from now. Both move with whoever comes and ends."""

    model_config = ConfigDict(from_attributes=True)

    p50: int = Field(description="As likely before it as after it.")
    p90: int = Field(description="Nine jobs in ten start before it.")


class JobRead(BaseModel):
    """A job. Poll it, wait for it, or stream its events: all are views of one log."""

    id: UUID
    kind: str
    status: StatusName
    progress: Progress | None = Field(description="How far the present attempt has come.")
    input: dict[str, Any] | None = Field(
        description="What was asked. `null` outside `GET /jobs/{id}` where it is over 64 kB."
    )
    input_size_bytes: int
    result: dict[str, Any] | None = Field(
        description="What came out. `null` outside `GET /jobs/{id}` where it is over 256 kB."
    )
    result_size_bytes: int | None
    error: dict[str, Any] | None = Field(description="The error body, plus `retryable`.")
    seq: int = Field(description="Number of the newest event: stream from it and miss nothing.")
    attempt: int = Field(description="Claims so far; 0 before the first.")
    max_attempts: int
    queue_position: int | None = Field(description="From 1; `null` past 1000 or not queued.")
    eta_s: int | None = Field(description="Estimate of seconds until the end.")
    starts_in_s: StartsIn | None = Field(
        description="When it starts, by the jobs before it, what runs, and how long such jobs"
        " took. `null` once it has started, and where no worker or no history is known."
    )
    artifacts: list[ArtifactRead]
    tags: list[str]
    created_at: UtcTime
    started_at: UtcTime | None
    finished_at: UtcTime | None
    expires_at: UtcTime | None = Field(description="When job and log are deleted.")
    deadline_at: UtcTime | None
    start_by: UtcTime | None
    cancel_requested_at: UtcTime | None
    superseded_by: UUID | None = Field(
        description="The newer job in whose favour this one was cancelled, see `supersedes`."
    )
    retry_of: UUID | None
    parent_id: UUID | None = Field(description="The job that started it and waits for it.")
    children: ChildCounts = Field(description="`GET /jobs?parent={id}` lists them.")
    links: JobLinks

    @classmethod
    def of(cls, view: JobView, pace: Pace) -> JobRead:
        """The job as the contract shows it."""
        starts = pace.starts_in_of(view)
        return cls(
            id=view.id,
            kind=view.kind,
            status=view.status.value,
            progress=Progress.model_validate(view.progress) if view.progress else None,
            input=view.input,
            input_size_bytes=view.input_size,
            result=view.result,
            result_size_bytes=view.result_size,
            error=view.error,
            seq=view.seq,
            attempt=view.attempt,
            max_attempts=view.max_attempts,
            queue_position=view.queue_position,
            eta_s=pace.eta_s(view),
            starts_in_s=StartsIn.model_validate(starts) if starts else None,
            artifacts=[
                ArtifactRead(**artifact, url=f"{ADDRESS}{artifact['id']}")
                for artifact in view.artifacts
            ],
            tags=view.tags,
            created_at=view.created_at,
            started_at=view.started_at,
            finished_at=view.finished_at,
            expires_at=view.expires_at,
            deadline_at=view.deadline_at,
            start_by=view.start_by,
            cancel_requested_at=view.cancel_requested_at,
            superseded_by=view.superseded_by,
            retry_of=view.retry_of,
            parent_id=view.parent_id,
            children=ChildCounts(
                total=view.children_total,
                finished=view.children_finished,
                failed=view.children_failed,
            ),
            links=JobLinks(
                self=f"/api/v1/jobs/{view.id}",
                events=f"/api/v1/jobs/{view.id}/events",
                cancel=f"/api/v1/jobs/{view.id}/cancel",
            ),
        )


class AttemptRead(BaseModel):
    """One claim of a job by a worker, and how it ended."""

    attempt: int = Field(
        description="Its number. A claim that was given back leaves its number to the next."
    )
    worker: str | None = Field(description="Name of the worker that ran it.")
    started_at: UtcTime
    lease_until: UtcTime | None = Field(
        description="While it runs: when the job is taken from the worker unless it renews."
    )
    ended_at: UtcTime | None
    outcome: OutcomeName | None = Field(
        description="`retried`: ended in an error that another attempt may not meet. `lost`: the "
        "worker died or fell silent. `given_back`: the worker was told to go. `null`: it runs."
    )
    error: dict[str, Any] | None = Field(
        description="The error body, plus `retryable`, where it ended in one."
    )

    @classmethod
    def of(cls, view: AttemptView) -> AttemptRead:
        return cls(**vars(view))


class ReasonRead(BaseModel):
    """One thing that a job waits for, or that bounds its time."""

    code: ReasonCode = Field(description="Stable, for programs; more may follow.")
    detail: str = Field(description="One sentence for a person.")
    until: UtcTime | None = Field(description="When it is over, where that is known.")
    counts: dict[str, int] = Field(
        description="How many, e.g. `own` and `others` that have their turn first, or what is "
        "`under_way` of the `limit`."
    )
    error: dict[str, Any] | None = Field(description="On `RETRYING`: the error body, if any.")


class ExplanationRead(BaseModel):
    """Why a job is where it is."""

    status: StatusName
    attempt: int = Field(description="Claims so far; 0 before the first.")
    queue_position: int | None
    admitted_at: UtcTime | None = Field(description="While it is queued: when the broker got it.")
    waits_for: list[ReasonRead] = Field(
        description="All that stands before its start; nothing where it runs or has ended."
    )
    bounds: list[ReasonRead] = Field(description="What ends it whatever it waits for.")

    @classmethod
    def of(cls, found: Explanation) -> ExplanationRead:
        return cls.model_validate(found, from_attributes=True)

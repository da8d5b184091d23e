"""What the frames of a stream say: the shape of `data:` for each name of an `event:`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from core.kind import Progress
from models.job import TERMINAL
from services.jobs.shown import ArtifactRead, JobRead, StartsIn, UtcTime

REFERENCE = "#/components/schemas/{model}"


class Said(BaseModel):
    """What a frame of any name says."""

    model_config = ConfigDict(extra="forbid")

    job_id: UUID


class JobQueue(Said):
    """A live hint, never resumed: how far a job has come in its queue."""

    queue_position: int | None
    eta_s: int | None = Field(description="Estimate of seconds until the end.")
    starts_in_s: StartsIn | None = Field(default=None, description="When it starts.")


class Logged(Said):
    """An event of the log."""

    seq: int = Field(description="The job's own number of the event, without gaps.")
    at: UtcTime


class JobQueued(Logged):
    """The job waits for a worker: new, or given back by one that had to go."""

    queue_position: int | None
    eta_s: int | None = Field(description="Estimate of seconds until the end.")
    starts_in_s: StartsIn | None = Field(default=None, description="When it starts.")


class JobStarted(Logged):
    """A worker has begun."""

    attempt: int


class JobProgressed(Logged):
    """How far the attempt has come."""

    progress: Progress


class JobDelta(Logged):
    """A piece of a reply."""

    offset: int
    text: str


class JobArtifact(Logged):
    """The job has made a file."""

    artifact: ArtifactRead


class JobRetrying(Logged):
    """The attempt ended in an error, or with its worker; another follows."""

    attempt: int = Field(description="The one that failed.")
    next_attempt_at: UtcTime
    error: dict[str, Any] = Field(description="The error body, plus `retryable`.")


class JobEnded(Logged):
    """The terminal event; the stream of the job ends with it."""

    job: JobRead
    superseded_by: UUID | None = Field(
        default=None, description="On `job.cancelled`: the job that took its place."
    )


#: The `data:` of every event by name.
EVENTS: dict[str, type[BaseModel]] = {
    "job.snapshot": JobRead,
    "job.queue": JobQueue,
    "job.queued": JobQueued,
    "job.started": JobStarted,
    "job.progress": JobProgressed,
    "job.delta": JobDelta,
    "job.artifact": JobArtifact,
    "job.retrying": JobRetrying,
    **{f"job.{status.value}": JobEnded for status in sorted(TERMINAL)},
}
#: Live frames and snapshots are no events of the log, and have no id.
WITHOUT_ID = frozenset({"job.snapshot", "job.queue"})


def event_schemas() -> dict[str, Any]:
    """Component schemas: each event, and `JobEvents`, which maps names to them."""
    _, made = models_json_schema(
        [(model, "serialization") for model in dict.fromkeys(EVENTS.values())],
        ref_template=REFERENCE,
    )
    schemas: dict[str, Any] = made["$defs"]
    schemas["JobEvents"] = {
        "type": "object",
        "description": "Never sent as a whole: which `data` belongs to which `event`.",
        "properties": {name: _reference(model) for name, model in EVENTS.items()},
        "required": list(EVENTS),
    }
    return schemas


def frame_schema() -> dict[str, Any]:
    """One frame of a stream, as generators of clients read it: the name tells the rest."""
    return {"oneOf": [_frame(name, model) for name, model in EVENTS.items()]}


def _frame(name: str, model: type[BaseModel]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "event": {"type": "string", "const": name},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": _reference(model),
        },
        "retry": {"type": "integer", "minimum": 0, "description": "Milliseconds."},
    }
    required = ["event", "data"]
    if name not in WITHOUT_ID:
        properties["id"] = {"type": "string", "description": "To resume after this event."}
        required.append("id")
    return {"type": "object", "title": name, "properties": properties, "required": required}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}

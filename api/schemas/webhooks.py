"""Webhooks and their deliveries, as they come in and go out."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from api.merge import PatchOf
from api.schemas.base import Body, Page
from core.kind import KINDS
from services.jobs.shown import UtcTime
from services.webhooks.addresses import URL_MAX, UnsafeAddress, read_url
from services.webhooks.deliveries import DeliveryView
from services.webhooks.endpoints import EndpointView

EventName = Literal[
    "job.started",
    "job.artifact",
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "job.expired",
]
DeliveryStatusName = Literal["pending", "succeeded", "failed"]


def _of_a_webhook(url: str) -> str:
    try:
        read_url(url)
    except UnsafeAddress as unsafe:
        raise ValueError(str(unsafe)) from None
    return url


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"must be a kind of job: {', '.join(sorted(KINDS))}")
    return kind


def _each_once(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class WebhookNew(Body):
    """An address that is told of the caller's jobs."""

    url: Annotated[str, Field(max_length=URL_MAX), AfterValidator(_of_a_webhook)] = Field(
        description="https, public, port 443 or 8443, without user name; checked again whenever"
        " something is sent.",
        examples=["https://example.com/webhooks/wheels"],
    )
    description: str = Field("", max_length=500)
    enabled: bool = Field(True, strict=True)
    events: Annotated[list[EventName], AfterValidator(_each_once)] = Field(
        default=["job.succeeded", "job.failed", "job.cancelled", "job.expired"],
        min_length=1,
        max_length=20,
    )
    kinds: Annotated[
        list[Annotated[str, AfterValidator(_known_kind)]], AfterValidator(_each_once)
    ] = Field(default=[], max_length=20, description="Only jobs of these kinds; empty: of any.")
    tags: Annotated[list[Tag], AfterValidator(_each_once)] = Field(
        default=[], max_length=20, description="Only jobs with one of these tags; empty: any job."
    )


WebhookPatch = Annotated[dict[str, Any], PatchOf(WebhookNew)]


class WebhookRead(BaseModel):
    """A webhook."""

    id: UUID
    url: str
    description: str
    enabled: bool
    disabled_reason: Literal["GONE", "FAILING"] | None = Field(
        description="Why it was switched off by us: it answered 410, or kept failing."
    )
    events: list[EventName]
    kinds: list[str]
    tags: list[str]
    failures: int = Field(description="Attempts in a row that failed.")
    rest_until: UtcTime | None = Field(
        description="Left alone until then, after failures in a row; a ping goes at once."
    )
    old_secret_until: UtcTime | None = Field(
        description="Until when the secret before the present one signs as well."
    )
    version: int = Field(description="Grows with every change; the ETag.")
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, view: EndpointView) -> WebhookRead:
        return cls.model_validate(view, from_attributes=True)


class WebhookWithSecret(WebhookRead):
    """A webhook, with its secret this once."""

    secret: str = Field(
        description="Verifies signatures, with any Standard Webhooks library. Not shown again.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class AttemptRead(BaseModel):
    """One attempt of a delivery."""

    at: UtcTime
    status: int | None = Field(description="Of the answer; `null`: there was none.")
    duration_ms: int
    error: str | None


class DeliveryRead(BaseModel):
    """A message to a webhook."""

    id: UUID
    webhook_id: UUID
    message_id: str = Field(description="The `webhook-id` header, the same on every attempt.")
    type: str
    job_id: UUID | None = Field(description="`null`: a ping.")
    seq: int = Field(description="Number of the event in the job's log; 0: a ping.")
    event_at: UtcTime
    created_at: UtcTime
    status: DeliveryStatusName
    attempts: int = Field(description="Begun so far.")
    status_code: int | None = Field(description="Of the newest answer.")
    duration_ms: int | None = Field(description="Of the newest attempt that has ended.")
    error: str | None = Field(description="Of the newest attempt that has ended.")
    next_attempt_at: UtcTime | None
    finished_at: UtcTime | None
    history: list[AttemptRead] = Field(description="The newest attempts that have ended, in order.")

    @classmethod
    def of(cls, view: DeliveryView) -> DeliveryRead:
        return cls(**_fields(view))


class DeliveryWhole(DeliveryRead):
    """A message to a webhook, with what is sent."""

    payload: dict[str, Any] | None = Field(description="`null` before the first attempt.")

    @classmethod
    def of(cls, view: DeliveryView) -> DeliveryWhole:
        return cls(**_fields(view), payload=json.loads(view.body) if view.body else None)


def _fields(view: DeliveryView) -> dict[str, Any]:
    newest = view.log[-1] if view.log else {"status": None, "duration_ms": None, "error": None}
    return {
        "id": view.id,
        "webhook_id": view.endpoint_id,
        "message_id": view.message_id,
        "type": view.type,
        "job_id": view.job_id,
        "seq": view.seq,
        "event_at": view.event_at,
        "created_at": view.created_at,
        "status": view.status.value,
        "attempts": view.attempts,
        "status_code": newest["status"],
        "duration_ms": newest["duration_ms"],
        "error": newest["error"],
        "next_attempt_at": view.due_at,
        "finished_at": view.finished_at,
        "history": view.log,
    }


class DeliveryPage(Page[DeliveryRead]):
    """A part of the log."""

    next_cursor: str | None = Field(description="For `?after=`; `null`: this is the end.")

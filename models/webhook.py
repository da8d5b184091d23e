"""Where users want to be told of their jobs, and every message on its way there."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from models.base import UTC_TIME

NOW = text("now()")
NONE = text("'{}'")

#: What an endpoint may ask for. The trigger `webhooks_follow` looks at no other event.
EVENTS = (
    "job.started",
    "job.artifact",
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "job.expired",
)


class DeliveryStatus(StrEnum):
    """Where a message stands. One that has failed may be sent again by its owner."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class WebhookEndpoint(SQLModel, table=True):
    """An address of a user's. The secrets are sealed; the role `wheels_engine` cannot read them."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_owner_id", "owner_id"),)

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    url: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    enabled: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    events: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    #: Only jobs of these kinds, or with one of these tags; empty: all.
    kinds: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=NONE))
    tags: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=NONE))
    secret: bytes = Field(sa_type=LargeBinary)
    #: The one before it, which signs as well until its time is over.
    old_secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    old_secret_until: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: Attempts in a row that failed, whichever message they carried.
    failures: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    #: Messages in a row that ran out of attempts.
    exhausted: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    #: After failures in a row it is left alone until then, so that it holds up nobody.
    rest_until: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: Why we switched it off: GONE or FAILING.
    disabled_reason: str | None = Field(default=None, sa_type=Text)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})


class WebhookDelivery(SQLModel, table=True):
    """One message to one endpoint, written by a trigger together with the event it tells of.

    It has no foreign key: the check would lock the endpoint's row within the transaction that
    ends a job, and an endpoint that is deleted at that moment would fail it.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'succeeded', 'failed')", name="status"),
        CheckConstraint("(status = 'pending') = (due_at IS NOT NULL)", name="due"),
        Index("ix_webhook_deliveries_log", "endpoint_id", "created_at", "id"),
        # whose turn it is, endpoint by endpoint
        Index(
            "ix_webhook_deliveries_due",
            "endpoint_id",
            "due_at",
            postgresql_where=text("status = 'pending' AND sent_at IS NULL"),
        ),
        # what is with the broker or under way
        Index(
            "ix_webhook_deliveries_busy",
            "owner_id",
            "endpoint_id",
            postgresql_where=text("status = 'pending' AND sent_at IS NOT NULL"),
        ),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: UUID = Field(
        primary_key=True, sa_column_kwargs={"server_default": text("gen_random_uuid()")}
    )
    owner_id: UUID
    endpoint_id: UUID
    #: The job and the number of its event; None and 0 for a ping.
    job_id: UUID | None = None
    seq: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    type: str = Field(sa_type=Text)
    #: When the event was.
    event_at: datetime = Field(sa_type=UTC_TIME)
    created_at: datetime = Field(
        sa_type=UTC_TIME, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
    status: DeliveryStatus = Field(
        default=DeliveryStatus.PENDING,
        sa_type=Text,
        sa_column_kwargs={"server_default": text("'pending'")},
    )
    #: Claims so far; a message of the broker names the number it is for.
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    #: Failed attempts of the present schedule; a replay begins it anew.
    tries: int = Field(
        default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": text("0")}
    )
    due_at: datetime | None = Field(
        default=None, sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW}
    )
    #: When its message was last entrusted to the broker, until the attempt ends.
    sent_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: How often a message was sent for the attempt to come; spaces repeats out.
    sends: int = Field(
        default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": text("0")}
    )
    #: Random per claim; whoever lacks it may not write. NULL: nobody delivers it.
    fence: UUID | None = None
    worker_id: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UTC_TIME)
    finished_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: What is sent, the same bytes every time; rendered for the first attempt.
    body: str | None = Field(default=None, sa_type=Text)
    #: The newest attempts: at, status, duration_ms, error.
    log: list[dict[str, Any]] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )

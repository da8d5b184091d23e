"""What operators see and steer: counts, pauses, replays, and the record of their actions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.base import UTC_TIME

NOW = text("now()")


class Counter(SQLModel, table=True):
    """So often something rare has happened: the sum by name, over the lives of all processes.

    A row is added each time and none is changed, so that who counts waits for nobody.
    """

    __tablename__ = "counters"

    id: UUID = Field(
        primary_key=True, sa_column_kwargs={"server_default": text("gen_random_uuid()")}
    )
    name: str = Field(sa_type=Text)
    value: int = Field(sa_type=BigInteger)
    at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})


class Pause(SQLModel, table=True):
    """A kind or a lane whose jobs are not begun."""

    __tablename__ = "pauses"
    __table_args__ = (CheckConstraint("scope IN ('kind', 'lane')", name="scope"),)

    scope: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    paused_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    paused_by: UUID


class Replay(SQLModel, table=True):
    """Which job took the place of a dead letter; the key lets only one do so."""

    __tablename__ = "replays"

    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE", primary_key=True)
    successor_id: UUID
    replayed_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})


class AdminAction(SQLModel, table=True):
    """What an admin did. A trigger refuses every change; it outlives the account of the admin."""

    __tablename__ = "admin_actions"

    id: UUID = Field(primary_key=True)
    at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    admin_id: UUID
    action: str = Field(sa_type=Text)
    #: What it was done to: a job, a kind, a worker.
    target: str = Field(sa_type=Text)
    details: dict[str, Any] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'"))
    )
    request_id: str | None = Field(default=None, sa_type=Text)

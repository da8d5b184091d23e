"""The tables of schedules: what the clock submits, and what became of each period."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from core.kind import Priority
from models.base import UTC_TIME

NOW = text("now()")


class CatchUp(StrEnum):
    """What becomes of periods that passed while no job could be made."""

    ONE = "one"  # the newest is made up for
    NONE = "none"  # none is, unless it is only minutes late
    ALL = "all"  # all are, in order, up to a bound


class Outcome(StrEnum):
    """What became of a period."""

    MADE = "made"
    SKIPPED = "skipped"


class Schedule(SQLModel, table=True):
    """A request that is submitted again and again, at the times of a cron expression."""

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("catch_up IN ('one', 'none', 'all')", name="catch_up"),
        CheckConstraint("priority IN ('interactive', 'batch')", name="priority"),
        CheckConstraint("(next_run_at IS NULL) = (due_at IS NULL)", name="due"),
        CheckConstraint("enabled OR next_run_at IS NULL", name="disabled"),
        # what the foreign key of runs points at: a run belongs to the owner of its schedule
        UniqueConstraint("id", "owner_id", name="uq_schedules_id_owner_id"),
        Index("ix_schedules_owner", "owner_id", text("id DESC")),
        Index("ix_schedules_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    title: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    kind: str = Field(sa_type=Text)
    #: A valid request of the kind.
    input: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    #: Five fields, read in `zone`.
    cron: str = Field(sa_type=Text)
    zone: str = Field(sa_type=Text)
    tags: list[str] = Field(
        sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    )
    priority: Priority = Field(default=Priority.BATCH, sa_type=Text)
    catch_up: CatchUp = Field(default=CatchUp.ONE, sa_type=Text)
    enabled: bool = True
    #: Periods lie in [starts_at, ends_at).
    starts_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    ends_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: The first period that is not settled; NULL where none will come.
    next_run_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: When to look at it: `next_run_at`, or later where the period could not be made at once.
    due_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    last_run_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    last_job_id: UUID | None = None
    #: Why the period that is due could not be made.
    last_error: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True))
    )
    #: Grows with every change by the owner.
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})


class ScheduleRun(SQLModel, table=True):
    """A settled period: the job that was made of it, or why none was."""

    __tablename__ = "schedule_runs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["schedule_id", "owner_id"],
            ["schedules.id", "schedules.owner_id"],
            name="fk_schedule_runs_schedule_id_owner_id",
            ondelete="CASCADE",
        ),
        # exactly once per period, whoever makes it
        UniqueConstraint("schedule_id", "period_at", name="uq_schedule_runs_schedule_id_period_at"),
        CheckConstraint("outcome IN ('made', 'skipped')", name="outcome"),
        CheckConstraint("(outcome = 'made') = (job_id IS NOT NULL)", name="job"),
        Index("ix_schedule_runs_schedule", "schedule_id", text("id DESC")),
        Index("ix_schedule_runs_at", "at"),
    )

    id: UUID = Field(primary_key=True)
    schedule_id: UUID
    owner_id: UUID
    #: NULL: run by hand, outside of the periods.
    period_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: The last of several periods that were skipped together.
    through_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    outcome: Outcome = Field(sa_type=Text)
    job_id: UUID | None = None
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})

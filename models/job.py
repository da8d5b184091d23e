"""The tables of the job layer, and the moves that a job may make."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

from core.kind import Priority
from models.base import UTC_TIME

NOW = text("now()")


class Status(StrEnum):
    """Where a job stands. The last four are terminal: exactly one of them, ever."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for children, or for a person; holds no worker
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.EXPIRED})

#: Every legal move. The trigger `jobs_move_legally` refuses all others (a test compares the two).
LEGAL_MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.FAILED, Status.CANCELLED, Status.EXPIRED}),
    Status.RUNNING: frozenset(
        {Status.QUEUED, Status.WAITING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}
    ),
    Status.WAITING: frozenset({Status.QUEUED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.EXPIRED: frozenset(),
}


class XID8(UserDefinedType[int]):
    """A 64-bit transaction id of Postgres: it never wraps, and orders the log of all jobs."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Job(SQLModel, table=True):
    """One accepted piece of work. Narrow on purpose: what moves often lies in `JobRun`."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued','running','waiting','succeeded','failed','cancelled','expired')",
            name="status",
        ),
        CheckConstraint(
            "(status IN ('succeeded','failed','cancelled','expired')) = (finished_at IS NOT NULL)",
            name="finished",
        ),
        CheckConstraint("priority IN ('interactive', 'batch')", name="priority"),
        CheckConstraint("attempt >= 0 AND errors >= 0 AND crashes >= 0", name="counts"),
        CheckConstraint("awaits IN ('collect', 'fail_fast', 'failing')", name="awaits"),
        CheckConstraint(
            "(parent_id IS NULL) = (child_key IS NULL) AND (parent_id IS NULL) = (depth = 0)",
            name="child",
        ),
        CheckConstraint(
            "children_failed >= 0 AND children_failed <= children_finished"
            " AND children_finished <= children_total",
            name="children",
        ),
        Index("ix_jobs_owner", "owner_id", text("id DESC")),
        Index("ix_jobs_unfinished", "owner_id", postgresql_where=text("finished_at IS NULL")),
        # whose turn it is, user by user
        Index(
            "ix_jobs_waiting",
            "lane",
            "owner_id",
            "ready_at",
            "id",
            postgresql_where=text("status = 'queued' AND admitted_at IS NULL"),
        ),
        # how many wait in a lane
        Index(
            "ix_jobs_queue", "lane", "ready_at", "id", postgresql_where=text("status = 'queued'")
        ),
        Index(
            "ix_jobs_admitted",
            "lane",
            "admitted_at",
            postgresql_where=text("status = 'queued' AND admitted_at IS NOT NULL"),
        ),
        Index("ix_jobs_running", "lane", "id", postgresql_where=text("status = 'running'")),
        Index(
            "ix_jobs_deadline",
            "deadline_at",
            postgresql_where=text("finished_at IS NULL AND deadline_at IS NOT NULL"),
        ),
        Index(
            "ix_jobs_start_by",
            "start_by",
            postgresql_where=text("status = 'queued' AND start_by IS NOT NULL"),
        ),
        # how long jobs of a kind take, from the newest that succeeded
        Index("ix_jobs_pace", "kind", "finished_at", postgresql_where=text("status = 'succeeded'")),
        # failed jobs, newest first, for operators
        Index("ix_jobs_failed", "finished_at", "id", postgresql_where=text("status = 'failed'")),
        Index("ix_jobs_expires", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        # a repeated attempt finds the children that it has
        Index(
            "uq_jobs_child",
            "parent_id",
            "child_key",
            unique=True,
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        Index(
            "ix_jobs_unfinished_child",
            "parent_id",
            postgresql_where=text("parent_id IS NOT NULL AND finished_at IS NULL"),
        ),
        Index("ix_jobs_awaits", "id", postgresql_where=text("status = 'waiting'")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    kind: str = Field(sa_type=Text)
    lane: str = Field(sa_type=Text)
    status: Status = Field(default=Status.QUEUED, sa_type=Text)
    priority: Priority = Field(
        default=Priority.INTERACTIVE,
        sa_type=Text,
        sa_column_kwargs={"server_default": text("'interactive'")},
    )
    #: Number of the newest event of the log.
    seq: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    #: Claims so far, less those given back by a drain.
    attempt: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    #: Attempts that ended in a retryable error; capped by `max_attempts`.
    errors: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    #: Attempts whose worker was lost; capped by three.
    crashes: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    max_attempts: int = Field(default=3, sa_column_kwargs={"server_default": text("3")})
    tags: list[str] = Field(
        sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    )
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    #: When it may start: at once, or at the end of a back-off.
    ready_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    #: When its message was last entrusted to the broker, while it waits for a worker.
    admitted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: How often a message was sent for the attempt to come; spaces repeats out.
    admissions: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    started_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    finished_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: When job, events and artifacts are pruned; set at the end.
    expires_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    deadline_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    start_by: datetime | None = Field(default=None, sa_type=UTC_TIME)
    cancel_requested_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    finish_requested_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: The tag by which it took the place of older jobs.
    supersedes: str | None = Field(default=None, sa_type=Text)
    superseded_by: UUID | None = None
    retry_of: UUID | None = None
    #: The job that started it and waits for it.
    parent_id: UUID | None = Field(default=None, foreign_key="jobs.id", ondelete="CASCADE")
    #: Its name among its siblings.
    child_key: str | None = Field(default=None, sa_type=Text)
    #: Generations above it.
    depth: int = Field(
        default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": text("0")}
    )
    #: What it waits for while `waiting`: `collect` all children; the same, but the first that
    #: does not succeed has the others cancelled (`fail_fast`); one has not (`failing`).
    awaits: str | None = Field(default=None, sa_type=Text)
    #: Counted under the lock of this row, at the end of each child.
    children_total: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    children_finished: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    children_failed: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    #: W3C trace context of the request that made it.
    trace: str | None = Field(default=None, sa_type=Text)


def _job_key() -> Any:
    return Field(foreign_key="jobs.id", ondelete="CASCADE", primary_key=True)


class JobPayload(SQLModel, table=True):
    """What a job was asked and what it answered: read seldom, so kept apart."""

    __tablename__ = "job_payloads"

    job_id: UUID = _job_key()
    owner_id: UUID
    input: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    input_size: int
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    result_size: int | None = None
    #: The error body of the contract, plus `retryable`.
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))


class JobRun(SQLModel, table=True):
    """The running side of a job: who holds it, until when, how far it is.

    Written every few seconds; the low fill factor lets Postgres do so in place, and
    nothing but the key is indexed.
    """

    __tablename__ = "job_runs"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    job_id: UUID = _job_key()
    owner_id: UUID
    #: Random per claim, never issued twice; whoever lacks it may not write. NULL: nobody runs it.
    fence: UUID | None = None
    worker_id: UUID | None = None
    #: Process id of the worker child, so that its parent can tell whose lease died with it.
    pid: int | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UTC_TIME)
    progress: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True))
    )


class JobAttempt(SQLModel, table=True):
    """One claim of a job and how it ended."""

    __tablename__ = "job_attempts"
    __table_args__ = (Index("ix_job_attempts_job", "job_id", "started_at"),)

    fence: UUID = Field(primary_key=True)
    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE")
    owner_id: UUID
    attempt: int
    worker_id: UUID
    #: Name of the worker at the time, for its row is pruned; None before release 0008.
    worker: str | None = Field(default=None, sa_type=Text)
    started_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    ended_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: succeeded | failed | retried | lost | cancelled | given_back | waiting
    outcome: str | None = Field(default=None, sa_type=Text)
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))


class JobCheckpoint(SQLModel, table=True):
    """How far a run has come, for the attempt after it; a trigger drops it when the job ends."""

    __tablename__ = "job_checkpoints"

    job_id: UUID = _job_key()
    owner_id: UUID
    #: The attempt that saved it.
    attempt: int
    #: Kept as it was written; only the kind knows what it means.
    state: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    size_bytes: int
    saved_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})


class JobEvent(SQLModel, table=True):
    """One line of a job's log. Numbers are gap-free: they are given under the lock of the job."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_feed", "owner_id", "xid", "job_id", "seq"),)

    job_id: UUID = _job_key()
    seq: int = Field(primary_key=True)
    owner_id: UUID
    type: str = Field(sa_type=Text)
    data: dict[str, Any] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'"))
    )
    at: datetime = Field(
        sa_type=UTC_TIME, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
    #: The writing transaction, or that of the event before it if greater (a trigger sees to
    #: it): the feed of all jobs is served below pg_snapshot_xmin, and keeps each job's order.
    xid: int = Field(
        sa_column=Column(XID8, nullable=False, server_default=text("pg_current_xact_id()"))
    )


class Worker(SQLModel, table=True):
    """One incarnation of a worker process group. A restart is a new one."""

    __tablename__ = "workers"
    __table_args__ = (Index("ix_workers_name", "name"),)

    id: UUID = Field(primary_key=True)
    #: Celery's node name: an incarnation with the same name is its successor.
    name: str = Field(sa_type=Text)
    lane: str = Field(sa_type=Text)
    slots: int
    started_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    beat_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    #: It takes no more work and gives back what it cannot end soon.
    draining_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    ended_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class IdempotencyKey(SQLModel, table=True):
    """What a keyed POST made, so that its repeat answers the same."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)

    owner_id: UUID = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE")
    key: str = Field(primary_key=True, sa_type=Text)
    #: SHA-256 over method, path and body.
    fingerprint: bytes = Field(sa_type=LargeBinary)
    status: int
    resource_id: UUID
    #: All that was made, where it was more than one.
    resource_ids: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid)))
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    expires_at: datetime = Field(
        sa_type=UTC_TIME, sa_column_kwargs={"server_default": text("now() + interval '24 hours'")}
    )


class StreamTicket(SQLModel, table=True):
    """Opens one stream for who cannot send a header."""

    __tablename__ = "stream_tickets"
    __table_args__ = (
        Index("ix_stream_tickets_expires_at", "expires_at"),
        Index("ix_stream_tickets_owner_id", "owner_id"),
        Index("ix_stream_tickets_job_id", "job_id"),
    )

    #: SHA-256 of the ticket.
    hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    #: None: the stream of all jobs.
    job_id: UUID | None = Field(default=None, foreign_key="jobs.id", ondelete="CASCADE")
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    expires_at: datetime = Field(sa_type=UTC_TIME)


class Artifact(SQLModel, table=True):
    """A file that a job made. The id is random: its address may be given to strangers."""

    __tablename__ = "artifacts"
    __table_args__ = (
        Index("uq_artifacts_job_id_name", "job_id", "name", unique=True),
        Index(
            "uq_artifacts_location",
            "location",
            unique=True,
            postgresql_ops={"location": "text_pattern_ops"},
        ),
    )

    id: UUID = Field(primary_key=True)
    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE")
    owner_id: UUID
    name: str = Field(sa_type=Text)
    media_type: str = Field(sa_type=Text)
    size_bytes: int = Field(sa_type=BigInteger)
    sha256: str = Field(sa_type=Text)
    #: Key in the artifact store.
    location: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    #: Set where it ends sooner than its job's.
    expires_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    #: Since when its bytes have not been found where they should lie.
    missing_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


#: The tables of the job layer that belong to an owner; `engine` has policies on them.
OWNED_TABLES = (
    "jobs",
    "job_payloads",
    "job_runs",
    "job_attempts",
    "job_checkpoints",
    "job_events",
    "artifacts",
)

"""Receipts, and the files that are kept of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.base import UTC_TIME

NOW = text("now()")


class Receipt(SQLModel, table=True):
    """The proof of an expense, or one that waits for its expense. Deleted ones stay a while."""

    __tablename__ = "receipts"
    __table_args__ = (
        # no ON DELETE: an expense only vanishes with its owner
        ForeignKeyConstraint(
            ["expense_id", "owner_id"],
            ["expenses.id", "expenses.owner_id"],
            name="fk_receipts_expense_id_owner_id",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("version >= 1", name="version"),
        Index("ix_receipts_owner", "owner_id", text("id DESC")),
        Index("ix_receipts_expense", "expense_id", postgresql_where=text("expense_id IS NOT NULL")),
        Index(
            "ix_receipts_ending",
            "id",
            postgresql_where=text("deleted_at IS NOT NULL OR taken_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    expense_id: UUID | None = None
    #: What the owner calls it; at first what the file was called.
    name: str = Field(sa_type=Text)
    #: Of the kind `take_receipt`; it is pruned long before the receipt.
    job_id: UUID
    #: When its files were made; NULL: they are being made, or cannot be.
    taken_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    pages: int | None = None
    #: What the original said of time and place.
    suggested: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    #: What was read on it the last time.
    reading: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class ReceiptFile(SQLModel, table=True):
    """Bytes of a receipt: the original until it is taken, then what was made of it."""

    __tablename__ = "receipt_files"
    __table_args__ = (
        CheckConstraint("role IN ('original', 'file', 'thumbnail', 'page')", name="role"),
        Index("uq_receipt_files_part", "receipt_id", "role", "number", unique=True),
        Index(
            "uq_receipt_files_location",
            "location",
            unique=True,
            postgresql_ops={"location": "text_pattern_ops"},
        ),
        Index("ix_receipt_files_owner", "owner_id"),
    )

    id: UUID = Field(primary_key=True)
    receipt_id: UUID = Field(foreign_key="receipts.id", ondelete="CASCADE")
    owner_id: UUID
    role: str = Field(sa_type=Text)
    #: Of the page, from 1; 0 for what there is one of.
    number: int
    media_type: str = Field(sa_type=Text)
    size_bytes: int = Field(sa_type=BigInteger)
    sha256: str = Field(sa_type=Text)
    #: Key in the artifact store.
    location: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    #: Since when its bytes have not been found where they should lie.
    missing_at: datetime | None = Field(default=None, sa_type=UTC_TIME)

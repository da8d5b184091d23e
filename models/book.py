"""The books of a traveller: what was spent, on what, and at which rate of exchange."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from models.base import UTC_TIME

NOW = text("now()")
#: How many of one currency a unit of another is.
RATE: Any = Numeric(20, 10)
#: Every amount of every currency: up to four decimals, and sums are exact.
AMOUNT: Any = Numeric(19, 4)
LIVING = text("deleted_at IS NULL")


def _text() -> Column[Any]:
    return Column(Text, nullable=False, server_default=text("''"))


def _tags() -> Column[Any]:
    return Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))


class Expense(SQLModel, table=True):
    """Money spent; less than nothing where it came back. Deleted ones stay, hidden."""

    __tablename__ = "expenses"
    __table_args__ = (
        UniqueConstraint("id", "owner_id", name="uq_expenses_id_owner_id"),
        # no ON DELETE: money does not vanish with a trip, only with its owner
        ForeignKeyConstraint(
            ["trip_id", "owner_id"],
            ["trips.id", "trips.owner_id"],
            name="fk_expenses_trip_id_owner_id",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint(
            "exponent BETWEEN 0 AND 4 AND amount = round(amount, exponent)", name="exponent"
        ),
        CheckConstraint("days BETWEEN 1 AND 366", name="days"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(
            "num_nulls(base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)"
            " IN (0, 6)",
            name="converted",
        ),
        CheckConstraint("fx_source IN ('same', 'user', 'reference')", name="fx_source"),
        Index("ix_expenses_spent", "owner_id", "spent_on", "id", postgresql_where=LIVING),
        Index(
            "ix_expenses_trip",
            "trip_id",
            "spent_on",
            postgresql_where=text("trip_id IS NOT NULL AND deleted_at IS NULL"),
        ),
        Index(
            "ix_expenses_spread",
            "owner_id",
            "spent_on",
            postgresql_where=text("days > 1 AND deleted_at IS NULL"),
        ),
        Index("ix_expenses_owner", "owner_id", text("id DESC")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    trip_id: UUID | None = None
    amount: Decimal = Field(sa_type=AMOUNT)
    currency: str = Field(sa_type=Text)
    #: Decimals of the currency when this was written; shares by day are made in SQL with it.
    exponent: int
    category: str = Field(sa_type=Text)
    #: The date where it was spent, or of the first day that it is spread over.
    spent_on: date
    #: Over how many days it is spread evenly.
    days: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    spent_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    zone: str | None = Field(default=None, sa_type=Text)
    description: str = Field(default="", sa_column=_text())
    vendor: str = Field(default="", sa_column=_text())
    note: str = Field(default="", sa_column=_text())
    payment_method: str | None = Field(default=None, sa_type=Text)
    tags: list[str] = Field(sa_column=_tags())
    #: `{"name", "lat", "lon"}`.
    place: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    #: `[{"name", "weight"}]`: who shares it.
    travellers: list[dict[str, Any]] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    #: `{"currency", "rate"}`: what the owner paid for one unit of `currency`.
    exchange: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    #: The amount in the owner's base currency, at a rate that stays; all NULL: not converted.
    base_currency: str | None = Field(default=None, sa_type=Text)
    base_exponent: int | None = None
    base_amount: Decimal | None = Field(default=None, sa_type=AMOUNT)
    fx_rate: Decimal | None = Field(default=None, sa_type=RATE)
    #: Of the rate; no later than the expense.
    fx_date: date | None = None
    fx_source: str | None = Field(default=None, sa_type=Text)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class Income(SQLModel, table=True):
    """Money received. Deleted ones stay, hidden."""

    __tablename__ = "incomes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["trip_id", "owner_id"],
            ["trips.id", "trips.owner_id"],
            name="fk_incomes_trip_id_owner_id",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint(
            "exponent BETWEEN 0 AND 4 AND amount = round(amount, exponent)", name="exponent"
        ),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(
            "num_nulls(base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)"
            " IN (0, 6)",
            name="converted",
        ),
        CheckConstraint("fx_source IN ('same', 'user', 'reference')", name="fx_source"),
        Index("ix_incomes_received", "owner_id", "received_on", "id", postgresql_where=LIVING),
        Index("ix_incomes_owner", "owner_id", text("id DESC")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    trip_id: UUID | None = None
    amount: Decimal = Field(sa_type=AMOUNT)
    currency: str = Field(sa_type=Text)
    exponent: int
    category: str = Field(sa_type=Text)
    received_on: date
    #: Who paid.
    source: str = Field(default="", sa_column=_text())
    description: str = Field(default="", sa_column=_text())
    note: str = Field(default="", sa_column=_text())
    tags: list[str] = Field(sa_column=_tags())
    exchange: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    base_currency: str | None = Field(default=None, sa_type=Text)
    base_exponent: int | None = None
    base_amount: Decimal | None = Field(default=None, sa_type=AMOUNT)
    fx_rate: Decimal | None = Field(default=None, sa_type=RATE)
    fx_date: date | None = None
    fx_source: str | None = Field(default=None, sa_type=Text)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class Category(SQLModel, table=True):
    """A category of one's own. Archived ones stay: entries name them by their key."""

    __tablename__ = "categories"
    __table_args__ = (
        UniqueConstraint("owner_id", "side", "key", name="uq_categories_owner_id_side_key"),
        CheckConstraint("side IN ('expense', 'income')", name="side"),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    side: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class Budget(SQLModel, table=True):
    """What may be spent in a month or on a trip."""

    __tablename__ = "budgets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["trip_id", "owner_id"],
            ["trips.id", "trips.owner_id"],
            name="fk_budgets_trip_id_owner_id",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("alert_percent BETWEEN 1 AND 100", name="alert_percent"),
        CheckConstraint(
            "period = 'month' OR (period = 'trip' AND trip_id IS NOT NULL)", name="period"
        ),
        CheckConstraint("version >= 1", name="version"),
        Index("ix_budgets_owner", "owner_id", text("id DESC")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    trip_id: UUID | None = None
    name: str = Field(default="", sa_column=_text())
    #: NULL: all of them.
    category: str | None = Field(default=None, sa_type=Text)
    period: str = Field(sa_type=Text)
    amount: Decimal = Field(sa_type=AMOUNT)
    currency: str = Field(sa_type=Text)
    #: From how much of it on its owner wants to be told.
    alert_percent: int = Field(default=80, sa_column_kwargs={"server_default": text("80")})
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class FinanceSettings(SQLModel, table=True):
    """How somebody's books are added up. Who never said has no row."""

    __tablename__ = "finance_settings"
    __table_args__ = (CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),)

    owner_id: UUID = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE")
    #: The base currency; NULL: nothing is converted.
    currency: str | None = Field(default=None, sa_type=Text)
    zone: str = Field(default="UTC", sa_column=Column(Text, nullable=False, server_default="UTC"))
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})


class FxRate(SQLModel, table=True):
    """A reference rate of one day, the same for everybody."""

    __tablename__ = "fx_rates"
    __table_args__ = (CheckConstraint("per_euro > 0", name="per_euro"),)

    currency: str = Field(sa_type=Text, primary_key=True)
    day: date = Field(primary_key=True)
    #: How many units of the currency a euro is.
    per_euro: Decimal = Field(sa_type=RATE)

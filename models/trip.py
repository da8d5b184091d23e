"""Trips as travellers plan them, and their stops in order."""

from __future__ import annotations

from datetime import date, datetime
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
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.base import UTC_TIME

NOW = text("now()")


def _json(default: str | None = None) -> Column[Any]:
    """A document; one without a default may be absent."""
    return Column(
        JSONB(none_as_null=True),
        nullable=default is None,
        server_default=None if default is None else text(f"'{default}'"),
    )


class Trip(SQLModel, table=True):
    """A trip. Deleted ones stay, hidden, until they are restored."""

    __tablename__ = "trips"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        # what the foreign key of stops points at: a stop belongs to the owner of its trip
        UniqueConstraint("id", "owner_id", name="uq_trips_id_owner_id"),
        Index("ix_trips_owner", "owner_id", text("id DESC")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    title: str = Field(sa_type=Text)
    #: A place, "start" | "any" | a place, a vehicle, limits: as in a `RouteRequest`.
    start: dict[str, Any] | None = Field(default=None, sa_column=_json())
    end: dict[str, Any] | str = Field(sa_column=_json('"start"'))
    starts_on: date | None = None
    zone: str | None = Field(default=None, sa_type=Text)
    vehicle: dict[str, Any] = Field(sa_column=_json("{}"))
    limits: dict[str, Any] | None = Field(default=None, sa_column=_json())
    notes: str = Field(
        sa_column=Column(Text, nullable=False, server_default=text("''")), default=""
    )
    #: Grows with every change of the trip or of its stops.
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class Stop(SQLModel, table=True):
    """A place to visit on a trip: what a stop of a `RouteRequest` says, and what was planned."""

    __tablename__ = "stops"
    __table_args__ = (
        ForeignKeyConstraint(
            ["trip_id", "owner_id"],
            ["trips.id", "trips.owner_id"],
            name="fk_stops_trip_id_owner_id",
            ondelete="CASCADE",
        ),
        CheckConstraint("position >= 1", name="position"),
        CheckConstraint("(deleted_at IS NULL) = (position IS NOT NULL)", name="deleted"),
        # deferrable, so that it is checked after the whole statement that moves many
        UniqueConstraint("trip_id", "position", name="uq_stops_trip_id_position", deferrable=True),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID
    trip_id: UUID
    #: 1 to n without a gap; NULL once deleted.
    position: int | None = None
    name: str = Field(sa_type=Text)
    lat: float
    lon: float
    service_s: int
    windows: list[dict[str, Any]] = Field(sa_column=_json("[]"))
    opening: list[dict[str, Any]] = Field(sa_column=_json("[]"))
    required: bool
    prize: float
    zone: str | None = Field(default=None, sa_type=Text)
    overnight: bool
    nights: int
    night_cost: dict[str, Any] | None = Field(default=None, sa_column=_json())
    #: Of the plan that was last applied; NULL where it skipped the stop.
    planned_arrive_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    planned_depart_at: datetime | None = Field(default=None, sa_type=UTC_TIME)
    day: int | None = None
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)

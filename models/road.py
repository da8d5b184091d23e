"""What a map service answered lately, and how much was asked of it; nobody's own."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.base import UTC_TIME


class RoadCell(SQLModel, table=True):
    """Driving time and distance from one place to another, which only a digest names."""

    __tablename__ = "road_cells"
    __table_args__ = (Index("ix_road_cells_expires_at", "expires_at"),)

    key: UUID = Field(primary_key=True)
    #: NULL: the service knows no way.
    duration_s: int | None = None
    distance_m: int | None = None
    expires_at: datetime = Field(sa_type=UTC_TIME)


class RoadSpending(SQLModel, table=True):
    """Elements asked for on one UTC day, and when the next call has its turn."""

    __tablename__ = "road_spending"

    day: date = Field(primary_key=True)
    elements: int
    turn_at: datetime = Field(sa_type=UTC_TIME)

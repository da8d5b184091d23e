"""Vehicles, and what is written down about them on the way."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.base import UTC_TIME

NOW = text("now()")
#: Without a scale, so that a number keeps the digits with which it was written: "90", "90.50".
EXACT: Any = Numeric()

KINDS = (
    *("motorhome", "campervan", "caravan", "fifth_wheel", "camper_trailer", "car", "truck"),
    *("bus", "motorcycle", "other"),
)
FUELS = ("petrol", "diesel", "lpg", "hybrid", "electric", "other")
ODOMETER_UNITS = ("km", "mi")
PRICED_BY = ("price", "total", "both")
PURPOSES = ("business", "private", "medical", "charity")
LIVING = text("deleted_at IS NULL")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The condition of a column that holds one of these words."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Vehicle(SQLModel, table=True):
    """A vehicle. Deleted ones stay, hidden with their log, until they are restored."""

    __tablename__ = "vehicles"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint(one_of("fuel_type", FUELS), name="fuel_type"),
        CheckConstraint(one_of("odometer_unit", ODOMETER_UNITS), name="odometer_unit"),
        # what the foreign keys of its log point at: an entry belongs to the vehicle's owner
        UniqueConstraint("id", "owner_id", name="uq_vehicles_id_owner_id"),
        Index("ix_vehicles_owner", "owner_id", text("id DESC")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    make: str | None = Field(default=None, sa_type=Text)
    model: str | None = Field(default=None, sa_type=Text)
    year: int | None = None
    plate: str | None = Field(default=None, sa_type=Text)
    fuel_type: str | None = Field(default=None, sa_type=Text)
    tank_l: Decimal | None = Field(default=None, sa_type=EXACT)
    fuel_l_per_100km: Decimal | None = Field(default=None, sa_type=EXACT)
    height_m: Decimal | None = Field(default=None, sa_type=EXACT)
    length_m: Decimal | None = Field(default=None, sa_type=EXACT)
    width_m: Decimal | None = Field(default=None, sa_type=EXACT)
    weight_kg: int | None = None
    #: How its odometer counts; whatever is stored counts in metres.
    odometer_unit: str = Field(sa_type=Text)
    notes: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    #: Grows with every change of the vehicle or of its log.
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class FuelFill(SQLModel, table=True):
    """Fuel that went into a vehicle. Deleted ones stay, hidden."""

    __tablename__ = "fuel_fills"
    __table_args__ = (
        ForeignKeyConstraint(
            ["vehicle_id", "owner_id"],
            ["vehicles.id", "vehicles.owner_id"],
            name="fk_fuel_fills_vehicle_id_owner_id",
            ondelete="CASCADE",
        ),
        # no ON DELETE: what was filled does not vanish with a trip, only with its owner; and
        # then the trips go first, so that this is looked at once all is gone
        ForeignKeyConstraint(
            ["trip_id", "owner_id"],
            ["trips.id", "trips.owner_id"],
            name="fk_fuel_fills_trip_id_owner_id",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("odometer_m >= 0", name="odometer_m"),
        CheckConstraint("volume_l > 0", name="volume_l"),
        CheckConstraint(one_of("priced_by", PRICED_BY), name="priced_by"),
        CheckConstraint(
            "num_nonnulls(price_per_l, total, currency, priced_by) IN (0, 4)", name="priced"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index(
            "ix_fuel_fills_vehicle",
            *("vehicle_id", "filled_at", "odometer_m", "id"),
            postgresql_where=LIVING,
        ),
        Index("ix_fuel_fills_trip", "trip_id", postgresql_where=text("trip_id IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID
    vehicle_id: UUID
    filled_at: datetime = Field(sa_type=UTC_TIME)
    odometer_m: int = Field(sa_type=BigInteger)
    #: The odometer began anew since the fill before.
    odometer_reset: bool
    volume_l: Decimal = Field(sa_type=EXACT)
    #: Price and total, of which the one that was not written follows from the other.
    price_per_l: Decimal | None = Field(default=None, sa_type=EXACT)
    total: Decimal | None = Field(default=None, sa_type=EXACT)
    currency: str | None = Field(default=None, sa_type=Text)
    priced_by: str | None = Field(default=None, sa_type=Text)
    full: bool
    #: Another fill before this one was not written down.
    missed_before: bool
    station: str = Field(sa_type=Text)
    place: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    trip_id: UUID | None = None
    note: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)


class MileageEntry(SQLModel, table=True):
    """A drive for a purpose. Deleted ones stay, hidden."""

    __tablename__ = "mileage_entries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["vehicle_id", "owner_id"],
            ["vehicles.id", "vehicles.owner_id"],
            name="fk_mileage_entries_vehicle_id_owner_id",
            ondelete="CASCADE",
        ),
        CheckConstraint(one_of("purpose", PURPOSES), name="purpose"),
        CheckConstraint("distance_m > 0", name="distance_m"),
        CheckConstraint(
            "num_nonnulls(start_odometer_m, end_odometer_m) = 0"
            " OR (num_nonnulls(start_odometer_m, end_odometer_m) = 2"
            " AND end_odometer_m - start_odometer_m = distance_m)",
            name="odometer",
        ),
        Index(
            "ix_mileage_entries_vehicle",
            *("vehicle_id", "driven_on", "id"),
            postgresql_where=LIVING,
        ),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID
    vehicle_id: UUID
    #: Where it was driven.
    driven_on: date
    start_odometer_m: int | None = Field(default=None, sa_type=BigInteger)
    end_odometer_m: int | None = Field(default=None, sa_type=BigInteger)
    distance_m: int = Field(sa_type=BigInteger)
    purpose: str = Field(sa_type=Text)
    from_place: str = Field(sa_type=Text)
    to_place: str = Field(sa_type=Text)
    note: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    updated_at: datetime = Field(sa_type=UTC_TIME, sa_column_kwargs={"server_default": NOW})
    deleted_at: datetime | None = Field(default=None, sa_type=UTC_TIME)

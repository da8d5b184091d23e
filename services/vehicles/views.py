"""Reading vehicles: one, a page."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, func, select

from core.database import Steps
from models.base import metadata
from models.vehicle import Vehicle
from services.vehicles.errors import VehicleNotFound

VEHICLES: Table = metadata.tables[str(Vehicle.__tablename__)]

#: What the owner may write.
VEHICLE_FIELDS = (
    *("name", "kind", "make", "model", "year", "plate", "fuel_type", "tank_l"),
    *("fuel_l_per_100km", "height_m", "length_m", "width_m", "weight_kg", "odometer_unit"),
    "notes",
)


def as_json(value: Any) -> Any:
    """A decimal as a string with the digits it was written with; anything else as it is."""
    return format(value, "f") if isinstance(value, Decimal) else value


@dataclass(frozen=True)
class VehicleView:
    """A vehicle as its owner sees it."""

    id: UUID
    name: str
    kind: str
    make: str | None
    model: str | None
    year: int | None
    plate: str | None
    fuel_type: str | None
    tank_l: Decimal | None
    fuel_l_per_100km: Decimal | None
    height_m: Decimal | None
    length_m: Decimal | None
    width_m: Decimal | None
    weight_kg: int | None
    odometer_unit: str
    notes: str
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    def columns(self) -> dict[str, Any]:
        """What its owner has written, as it is stored."""
        return {name: getattr(self, name) for name in VEHICLE_FIELDS}

    def written(self) -> dict[str, Any]:
        """What its owner has written, as JSON values."""
        return {name: as_json(value) for name, value in self.columns().items()}


_COLUMNS = [VEHICLES.c[field.name] for field in fields(VehicleView)]


def _vehicle(row: Row[Any]) -> VehicleView:
    return VehicleView(**row._mapping)


def read(owner_id: UUID, vehicle_id: UUID, *, deleted: bool = False) -> Steps[VehicleView]:
    """One vehicle of its owner.

    Args:
        deleted: whether to find it although it is deleted.

    Raises:
        VehicleNotFound
    """
    wanted = select(*_COLUMNS).where(VEHICLES.c.id == vehicle_id, VEHICLES.c.owner_id == owner_id)
    if not deleted:
        wanted = wanted.where(VEHICLES.c.deleted_at.is_(None))
    row = (yield wanted).one_or_none()
    if row is None:
        raise VehicleNotFound
    return _vehicle(row)


@dataclass(frozen=True)
class Filter:
    """Which vehicles a list shows, and in which order.

    Attributes:
        name: a part of the name, in any case.
        deleted: the deleted ones, and only those.
        sort: a column, after `-` for the largest first.
    """

    name: str | None = None
    kind: str | None = None
    fuel_type: str | None = None
    deleted: bool = False
    sort: str = "-created_at"

    def conditions(self, owner_id: UUID) -> list[ColumnElement[bool]]:
        gone = VEHICLES.c.deleted_at
        found = [
            VEHICLES.c.owner_id == owner_id,
            gone.is_not(None) if self.deleted else gone.is_(None),
        ]
        if self.name is not None:
            found.append(VEHICLES.c.name.icontains(self.name, autoescape=True))
        if self.kind is not None:
            found.append(VEHICLES.c.kind == self.kind)
        if self.fuel_type is not None:
            found.append(VEHICLES.c.fuel_type == self.fuel_type)
        return found

    def order(self) -> list[ColumnElement[Any]]:
        column, key = VEHICLES.c[self.sort.removeprefix("-")], VEHICLES.c.id
        if self.sort.startswith("-"):
            return [column.desc().nulls_last(), key.desc()]
        return [column.asc().nulls_last(), key.asc()]


def page(
    owner_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[VehicleView], int]]:
    """A page of the owner's vehicles, and how many there are in all."""
    own = which.conditions(owner_id)
    total = (yield select(func.count()).select_from(VEHICLES).where(*own)).scalar_one()
    wanted = select(*_COLUMNS).where(*own).order_by(*which.order())
    rows = (yield wanted.limit(limit).offset(offset)).all()
    return [_vehicle(row) for row in rows], int(total)

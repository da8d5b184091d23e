"""Reading vehicles: one, a page."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Table

from core.database import Steps
from models.base import metadata
from models.vehicle import Vehicle
from services.records import Record, Records
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
class VehicleView(Record):
    """A vehicle as its owner sees it."""

    WRITTEN: ClassVar = VEHICLE_FIELDS

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

    def columns(self) -> dict[str, Any]:
        return super().written()

    def written(self) -> dict[str, Any]:
        return {name: as_json(value) for name, value in self.columns().items()}


RECORDS = Records(VEHICLES, VehicleView, VehicleNotFound)


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
        found = RECORDS.of(owner_id, deleted=self.deleted)
        if self.name is not None:
            found.append(VEHICLES.c.name.icontains(self.name, autoescape=True))
        if self.kind is not None:
            found.append(VEHICLES.c.kind == self.kind)
        if self.fuel_type is not None:
            found.append(VEHICLES.c.fuel_type == self.fuel_type)
        return found


def page(
    owner_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[VehicleView], int]]:
    """A page of the owner's vehicles, and how many there are in all."""
    own, order = which.conditions(owner_id), RECORDS.order(which.sort)
    return (yield from RECORDS.counted_page(own, order, limit=limit, offset=offset))

"""Reading fuel fills: one, a page, all that a vehicle's economy is made of."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, func, select

from core.database import Steps
from models.base import metadata
from models.vehicle import FuelFill
from services.vehicles import views
from services.vehicles.economy import Fuelled
from services.vehicles.errors import FillNotFound
from services.vehicles.prices import PricedBy
from services.vehicles.views import VehicleView, as_json

FILLS: Table = metadata.tables[str(FuelFill.__tablename__)]

#: What its owner writes beside the price.
PLAIN_FIELDS = (
    *("filled_at", "odometer_m", "odometer_reset", "volume_l", "full", "missed_before"),
    *("station", "place", "trip_id", "note"),
)
PRICE_FIELDS = ("price_per_l", "total", "currency", "priced_by")


@dataclass(frozen=True)
class FillView:
    """A fill as its owner sees it."""

    id: UUID
    vehicle_id: UUID
    filled_at: datetime
    odometer_m: int
    odometer_reset: bool
    volume_l: Decimal
    price_per_l: Decimal | None
    total: Decimal | None
    currency: str | None
    priced_by: str | None
    full: bool
    missed_before: bool
    station: str
    place: dict[str, Any] | None
    trip_id: UUID | None
    note: str
    created_at: datetime
    updated_at: datetime

    def columns(self) -> dict[str, Any]:
        """What its owner has written and what follows from it, as it is stored."""
        return {name: getattr(self, name) for name in (*PLAIN_FIELDS, *PRICE_FIELDS)}

    def money(self, name: str) -> dict[str, str] | None:
        """`price_per_l` or `total`, with its currency."""
        amount: Decimal | None = getattr(self, name)
        if amount is None or self.currency is None:
            return None
        return {"amount": as_json(amount), "currency": self.currency}

    def written(self) -> dict[str, Any]:
        """What its owner has written, as JSON values: of price and total not what followed."""
        by = self.priced_by
        return {
            **{name: as_json(getattr(self, name)) for name in PLAIN_FIELDS},
            "price_per_l": None if by == PricedBy.TOTAL else self.money("price_per_l"),
            "total": None if by == PricedBy.PRICE else self.money("total"),
        }


_COLUMNS = [FILLS.c[field.name] for field in fields(FillView)]
_FUELLED = [FILLS.c[field.name] for field in fields(Fuelled)]
#: In time; of two at one moment, the one further on comes later.
IN_TIME = (FILLS.c.filled_at, FILLS.c.odometer_m, FILLS.c.id)


def living(owner_id: UUID, vehicle_id: UUID) -> list[ColumnElement[bool]]:
    return [
        FILLS.c.vehicle_id == vehicle_id,
        FILLS.c.owner_id == owner_id,
        FILLS.c.deleted_at.is_(None),
    ]


def _fill(row: Row[Any]) -> FillView:
    return FillView(**row._mapping)


def read(owner_id: UUID, vehicle_id: UUID, fill_id: UUID) -> Steps[tuple[FillView, VehicleView]]:
    """One fill, and its vehicle.

    Raises:
        VehicleNotFound, FillNotFound.
    """
    vehicle = yield from views.RECORDS.read(owner_id, vehicle_id)
    wanted = select(*_COLUMNS).where(*living(owner_id, vehicle_id), FILLS.c.id == fill_id)
    row = (yield wanted).one_or_none()
    if row is None:
        raise FillNotFound
    return _fill(row), vehicle


def history(
    owner_id: UUID, vehicle_id: UUID, *, until: datetime | None = None
) -> Steps[list[Fuelled]]:
    """What went into a vehicle that the caller has read, by time.

    Args:
        until: without what comes after.
    """
    wanted = select(*_FUELLED).where(*living(owner_id, vehicle_id)).order_by(*IN_TIME)
    if until is not None:
        wanted = wanted.where(FILLS.c.filled_at <= until)
    return [Fuelled(**row._mapping) for row in (yield wanted).all()]


@dataclass(frozen=True)
class Filter:
    """Which fills a list shows, and in which order.

    Attributes:
        since, until: filled in [since, until).
        station: a part of its name, in any case.
        sort: a column, after `-` for the largest first.
    """

    since: datetime | None = None
    until: datetime | None = None
    full: bool | None = None
    trip_id: UUID | None = None
    station: str | None = None
    sort: str = "-filled_at"

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(FILLS.c.filled_at >= self.since)
        if self.until is not None:
            found.append(FILLS.c.filled_at < self.until)
        if self.full is not None:
            found.append(FILLS.c.full == self.full)
        if self.trip_id is not None:
            found.append(FILLS.c.trip_id == self.trip_id)
        if self.station is not None:
            found.append(FILLS.c.station.icontains(self.station, autoescape=True))
        return found

    def order(self) -> list[ColumnElement[Any]]:
        column = FILLS.c[self.sort.removeprefix("-")]
        keys = (column, *IN_TIME)
        if self.sort.startswith("-"):
            return [key.desc() for key in keys]
        return [key.asc() for key in keys]


def page(
    owner_id: UUID, vehicle_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[FillView], int]]:
    """A page of a vehicle's fills, and how many there are in all.

    Raises:
        VehicleNotFound
    """
    yield from views.RECORDS.read(owner_id, vehicle_id)
    own = [*living(owner_id, vehicle_id), *which.conditions()]
    total = (yield select(func.count()).select_from(FILLS).where(*own)).scalar_one()
    wanted = select(*_COLUMNS).where(*own).order_by(*which.order())
    rows = (yield wanted.limit(limit).offset(offset)).all()
    return [_fill(row) for row in rows], int(total)

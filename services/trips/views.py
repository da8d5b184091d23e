"""Reading trips and stops: one, a page, all in order."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, func, select

from core.database import Steps
from models.base import metadata
from models.trip import Stop, Trip
from services.records import Record, Records
from services.trips.errors import StopNotFound, TripNotFound

TRIPS: Table = metadata.tables[str(Trip.__tablename__)]
STOPS: Table = metadata.tables[str(Stop.__tablename__)]

#: What the owner may write, of a trip and of a stop; a stop's are those of a `RouteRequest`.
TRIP_FIELDS = ("title", "start", "end", "starts_on", "zone", "vehicle", "limits", "notes")
STOP_FIELDS = (
    *("name", "lat", "lon", "service_s", "windows", "opening", "required", "prize", "zone"),
    *("overnight", "nights", "night_cost"),
)


@dataclass(frozen=True)
class TripView(Record):
    """A trip as its owner sees it."""

    WRITTEN: ClassVar = TRIP_FIELDS

    title: str
    start: dict[str, Any] | None
    end: dict[str, Any] | str
    starts_on: date | None
    zone: str | None
    vehicle: dict[str, Any]
    limits: dict[str, Any] | None
    notes: str


RECORDS = Records(TRIPS, TripView, TripNotFound)


@dataclass(frozen=True)
class StopView:
    """A stop as its owner sees it."""

    id: UUID
    trip_id: UUID
    position: int
    name: str
    lat: float
    lon: float
    service_s: int
    windows: list[dict[str, Any]]
    opening: list[dict[str, Any]]
    required: bool
    prize: float
    zone: str | None
    overnight: bool
    nights: int
    night_cost: dict[str, Any] | None
    planned_arrive_at: datetime | None
    planned_depart_at: datetime | None
    day: int | None

    def written(self) -> dict[str, Any]:
        """What its owner has written."""
        return {name: getattr(self, name) for name in STOP_FIELDS}


_STOP_COLUMNS = [STOPS.c[field.name] for field in fields(StopView)]


def _stop(row: Row[Any]) -> StopView:
    return StopView(**row._mapping)


@dataclass(frozen=True)
class Filter:
    """Which trips a list shows, and in which order.

    Attributes:
        title: a part of the title, in any case.
        deleted: the deleted ones, and only those.
        sort: a column, after `-` for the largest first.
    """

    title: str | None = None
    starts_on: date | None = None
    deleted: bool = False
    sort: str = "-created_at"

    def conditions(self, owner_id: UUID) -> list[ColumnElement[bool]]:
        found = RECORDS.of(owner_id, deleted=self.deleted)
        if self.title is not None:
            found.append(TRIPS.c.title.icontains(self.title, autoescape=True))
        if self.starts_on is not None:
            found.append(TRIPS.c.starts_on == self.starts_on)
        return found


def page(
    owner_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[TripView], int]]:
    """A page of the owner's trips, and how many there are in all."""
    own, order = which.conditions(owner_id), RECORDS.order(which.sort)
    return (yield from RECORDS.counted_page(own, order, limit=limit, offset=offset))


def read_stop(owner_id: UUID, trip_id: UUID, stop_id: UUID) -> Steps[tuple[StopView, int]]:
    """One stop, and the version of its trip.

    Raises:
        TripNotFound, StopNotFound.
    """
    trip = yield from RECORDS.read(owner_id, trip_id)
    wanted = select(*_STOP_COLUMNS).where(*_on(trip_id), STOPS.c.id == stop_id)
    row = (yield wanted).one_or_none()
    if row is None:
        raise StopNotFound
    return _stop(row), trip.version


def _on(trip_id: UUID) -> list[ColumnElement[bool]]:
    return [STOPS.c.trip_id == trip_id, STOPS.c.deleted_at.is_(None)]


def stops_of(trip_id: UUID) -> Steps[list[StopView]]:
    """All stops of a trip that the caller has read, in order."""
    wanted = select(*_STOP_COLUMNS).where(*_on(trip_id)).order_by(STOPS.c.position)
    return [_stop(row) for row in (yield wanted).all()]


def page_of_stops(
    owner_id: UUID, trip_id: UUID, *, limit: int, offset: int, last_first: bool = False
) -> Steps[tuple[list[StopView], int]]:
    """A page of a trip's stops in order, and how many there are in all.

    Raises:
        TripNotFound
    """
    yield from RECORDS.read(owner_id, trip_id)
    order = STOPS.c.position.desc() if last_first else STOPS.c.position
    counted = select(func.count()).select_from(STOPS).where(*_on(trip_id))
    total = (yield counted).scalar_one()
    wanted = select(*_STOP_COLUMNS).where(*_on(trip_id)).order_by(order)
    rows = (yield wanted.limit(limit).offset(offset)).all()
    return [_stop(row) for row in rows], int(total)

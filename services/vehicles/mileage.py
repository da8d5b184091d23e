"""Drives for a purpose: adding, changing, removing, reading them, and their sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, extract, func, insert, select, update

from core.database import Steps
from core.ids import new_id
from models.base import metadata
from models.vehicle import MileageEntry
from services.idempotency import IdempotencyKey
from services.records import Made, Versions, made_before
from services.vehicles import views
from services.vehicles.errors import MileageNotFound
from services.vehicles.views import VehicleView

MILEAGE: Table = metadata.tables[str(MileageEntry.__tablename__)]

#: What its owner writes.
MILEAGE_FIELDS = (
    *("driven_on", "start_odometer_m", "end_odometer_m", "distance_m", "purpose"),
    *("from_place", "to_place", "note"),
)


@dataclass(frozen=True)
class DriveView:
    """A drive as its owner sees it."""

    id: UUID
    vehicle_id: UUID
    driven_on: date
    start_odometer_m: int | None
    end_odometer_m: int | None
    distance_m: int
    purpose: str
    from_place: str
    to_place: str
    note: str
    created_at: datetime
    updated_at: datetime

    def columns(self) -> dict[str, Any]:
        """What its owner has written, as it is stored."""
        return {name: getattr(self, name) for name in MILEAGE_FIELDS}

    def written(self) -> dict[str, Any]:
        """What its owner has written; a distance between two odometers follows from them."""
        by_odometer = self.start_odometer_m is not None
        return {**self.columns(), "distance_m": None if by_odometer else self.distance_m}


_COLUMNS = [MILEAGE.c[field.name] for field in fields(DriveView)]


def _living(owner_id: UUID, vehicle_id: UUID) -> list[ColumnElement[bool]]:
    return [
        MILEAGE.c.vehicle_id == vehicle_id,
        MILEAGE.c.owner_id == owner_id,
        MILEAGE.c.deleted_at.is_(None),
    ]


def _drive(row: Row[Any]) -> DriveView:
    return DriveView(**row._mapping)


def read(owner_id: UUID, vehicle_id: UUID, entry_id: UUID) -> Steps[tuple[DriveView, VehicleView]]:
    """One drive, and its vehicle.

    Raises:
        VehicleNotFound, MileageNotFound.
    """
    vehicle = yield from views.RECORDS.read(owner_id, vehicle_id)
    wanted = select(*_COLUMNS).where(*_living(owner_id, vehicle_id), MILEAGE.c.id == entry_id)
    row = (yield wanted).one_or_none()
    if row is None:
        raise MileageNotFound
    return _drive(row), vehicle


def add(
    owner_id: UUID,
    vehicle_id: UUID,
    columns: dict[str, Any],
    versions: Versions = None,
    *,
    key: IdempotencyKey | None = None,
) -> Steps[Made]:
    """Write a drive.

    Raises:
        VehicleNotFound, PreconditionFailed.
        KeyReused, KeyInFlight: see `take_key`.
    """
    made = Made(new_id())
    earlier = yield from made_before(owner_id, key, made.id)
    if earlier is not None:
        return earlier
    yield from views.RECORDS.lock(owner_id, vehicle_id, versions)
    row = {"id": made.id, "owner_id": owner_id, "vehicle_id": vehicle_id, **columns}
    yield insert(MILEAGE).values(**row)
    yield from views.RECORDS.touch(owner_id, vehicle_id)
    return made


def change(
    owner_id: UUID,
    vehicle_id: UUID,
    entry_id: UUID,
    revise: Callable[[DriveView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[tuple[DriveView, VehicleView]]:
    """Change what the owner has written of a drive; what is the same makes no new version.

    Args:
        revise: from the drive as it is to its columns as they shall be.

    Raises:
        VehicleNotFound, MileageNotFound, PreconditionFailed.
    """
    yield from views.RECORDS.lock(owner_id, vehicle_id, versions)
    before, vehicle = yield from read(owner_id, vehicle_id, entry_id)
    columns = revise(before)
    if columns == before.columns():
        return before, vehicle
    yield update(MILEAGE).where(MILEAGE.c.id == entry_id).values(**columns, updated_at=func.now())
    yield from views.RECORDS.touch(owner_id, vehicle_id)
    return (yield from read(owner_id, vehicle_id, entry_id))


def remove(
    owner_id: UUID, vehicle_id: UUID, entry_id: UUID, versions: Versions = None
) -> Steps[None]:
    """Hide a drive.

    Raises:
        VehicleNotFound, MileageNotFound, PreconditionFailed.
    """
    yield from views.RECORDS.lock(owner_id, vehicle_id, versions)
    yield from read(owner_id, vehicle_id, entry_id)
    yield update(MILEAGE).where(MILEAGE.c.id == entry_id).values(deleted_at=func.now())
    yield from views.RECORDS.touch(owner_id, vehicle_id)


@dataclass(frozen=True)
class Filter:
    """Which drives a list shows and sums, and in which order.

    Attributes:
        since, until: driven in [since, until).
        sort: a column, after `-` for the largest first.
    """

    since: date | None = None
    until: date | None = None
    purpose: str | None = None
    sort: str = "-driven_on"

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(MILEAGE.c.driven_on >= self.since)
        if self.until is not None:
            found.append(MILEAGE.c.driven_on < self.until)
        if self.purpose is not None:
            found.append(MILEAGE.c.purpose == self.purpose)
        return found

    def order(self) -> list[ColumnElement[Any]]:
        keys = (MILEAGE.c[self.sort.removeprefix("-")], MILEAGE.c.id)
        if self.sort.startswith("-"):
            return [key.desc() for key in keys]
        return [key.asc() for key in keys]


@dataclass(frozen=True)
class MonthOfPurpose:
    """All drives of a month for a purpose. `month`: its first day."""

    month: date
    purpose: str
    entries: int
    distance_m: int


def page(
    owner_id: UUID, vehicle_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[DriveView], list[MonthOfPurpose]]]:
    """A page of a vehicle's drives, and the sums of all of them by month and purpose.

    Raises:
        VehicleNotFound
    """
    yield from views.RECORDS.read(owner_id, vehicle_id)
    own = [*_living(owner_id, vehicle_id), *which.conditions()]
    wanted = select(*_COLUMNS).where(*own).order_by(*which.order())
    rows = (yield wanted.limit(limit).offset(offset)).all()
    return [_drive(row) for row in rows], (yield from _months(own))


def _months(own: list[ColumnElement[bool]]) -> Steps[list[MonthOfPurpose]]:
    """The sums of the drives that fulfil these conditions, in order."""
    day = MILEAGE.c.driven_on
    keys = [extract("year", day), extract("month", day), MILEAGE.c.purpose]
    names = ("year", "month", "purpose", "entries", "metres")
    columns = [*keys, func.count(), func.sum(MILEAGE.c.distance_m)]
    wanted = select(*(column.label(name) for column, name in zip(columns, names, strict=True)))
    found = (yield wanted.where(*own).group_by(*keys).order_by(*keys)).all()
    return [
        MonthOfPurpose(
            date(int(row.year), int(row.month), 1), row.purpose, int(row.entries), int(row.metres)
        )
        for row in found
    ]

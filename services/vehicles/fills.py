"""Adding, changing and removing fuel fills; the odometer never runs backwards in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, tuple_, update

from core.database import Steps
from core.errors import Invalid
from core.ids import new_id
from services.idempotency import IdempotencyKey
from services.records import Made, Versions, made_before
from services.trips.views import TRIPS
from services.vehicles import fill_views, views
from services.vehicles.errors import OdometerBackwards, ResetNeeded
from services.vehicles.fill_views import FILLS, IN_TIME, FillView, living
from services.vehicles.views import VehicleView


def add(
    owner_id: UUID,
    vehicle_id: UUID,
    columns: dict[str, Any],
    versions: Versions = None,
    *,
    key: IdempotencyKey | None = None,
) -> Steps[Made]:
    """Write a fill.

    Raises:
        VehicleNotFound, PreconditionFailed, OdometerBackwards.
        Invalid: there is no such trip; or two fills at the moment of a reset.
        KeyReused, KeyInFlight: see `take_key`.
    """
    made = Made(new_id())
    earlier = yield from made_before(owner_id, key, made.id)
    if earlier is not None:
        return earlier
    yield from views.RECORDS.lock(owner_id, vehicle_id, versions)
    yield from expect_trip(owner_id, columns["trip_id"])
    row = {"id": made.id, "owner_id": owner_id, "vehicle_id": vehicle_id, **columns}
    yield insert(FILLS).values(**row)
    yield from _check(owner_id, vehicle_id, made.id, columns)
    yield from views.RECORDS.touch(owner_id, vehicle_id)
    return made


def change(
    owner_id: UUID,
    vehicle_id: UUID,
    fill_id: UUID,
    revise: Callable[[FillView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[tuple[FillView, VehicleView]]:
    """Change what the owner has written of a fill; what is the same makes no new version.

    Args:
        revise: from the fill as it is to its columns as they shall be.

    Raises:
        VehicleNotFound, FillNotFound, PreconditionFailed, OdometerBackwards.
        ResetNeeded: it was a reset, from which the next fill counts, and moves away.
        Invalid: as `add`.
    """
    yield from views.RECORDS.lock(owner_id, vehicle_id, versions)
    before, vehicle = yield from fill_views.read(owner_id, vehicle_id, fill_id)
    columns = revise(before)
    if columns == before.columns():
        return before, vehicle
    if columns["trip_id"] != before.trip_id:
        yield from expect_trip(owner_id, columns["trip_id"])
    yield update(FILLS).where(FILLS.c.id == fill_id).values(**columns, updated_at=func.now())
    yield from _check(owner_id, vehicle_id, fill_id, columns)
    moved = (columns["filled_at"], columns["odometer_m"]) != (before.filled_at, before.odometer_m)
    if before.odometer_reset and moved:
        yield from _check_gap(owner_id, vehicle_id, before)
    yield from views.RECORDS.touch(owner_id, vehicle_id)
    return (yield from fill_views.read(owner_id, vehicle_id, fill_id))


def remove(
    owner_id: UUID, vehicle_id: UUID, fill_id: UUID, versions: Versions = None
) -> Steps[None]:
    """Hide a fill.

    Raises:
        VehicleNotFound, FillNotFound, PreconditionFailed.
        ResetNeeded: it is a reset, from which the next fill counts.
    """
    yield from views.RECORDS.lock(owner_id, vehicle_id, versions)
    before, _ = yield from fill_views.read(owner_id, vehicle_id, fill_id)
    yield update(FILLS).where(FILLS.c.id == fill_id).values(deleted_at=func.now())
    if before.odometer_reset:
        yield from _check_gap(owner_id, vehicle_id, before)
    yield from views.RECORDS.touch(owner_id, vehicle_id)


def expect_trip(owner_id: UUID, trip_id: UUID | None) -> Steps[None]:
    """Refuse a trip that is absent or another's.

    Raises:
        Invalid
    """
    if trip_id is None:
        return
    own = (TRIPS.c.id == trip_id, TRIPS.c.owner_id == owner_id, TRIPS.c.deleted_at.is_(None))
    if (yield select(TRIPS.c.id).where(*own)).first() is None:
        raise Invalid(field_errors={"trip_id": ["There is no such trip"]})


Key = tuple[datetime, int, UUID]
_SEEN = (*IN_TIME, FILLS.c.odometer_reset)


def _neighbours(
    owner_id: UUID, vehicle_id: UUID, place: Key
) -> Steps[tuple[Row[Any] | None, Row[Any] | None]]:
    """The fills before and after a place in time."""
    own, here = living(owner_id, vehicle_id), tuple_(*place)
    down = [column.desc() for column in IN_TIME]
    before = select(*_SEEN).where(*own, tuple_(*IN_TIME) < here).order_by(*down).limit(1)
    after = select(*_SEEN).where(*own, tuple_(*IN_TIME) > here).order_by(*IN_TIME).limit(1)
    return (yield before).first(), (yield after).first()


def _check(owner_id: UUID, vehicle_id: UUID, fill_id: UUID, columns: dict[str, Any]) -> Steps[None]:
    """Refuse a fill, already written, that does not fit between its neighbours."""
    at, odometer, reset = (columns[n] for n in ("filled_at", "odometer_m", "odometer_reset"))
    before, after = yield from _neighbours(owner_id, vehicle_id, (at, odometer, fill_id))
    beside = [each for each in (before, after) if each is not None and each.filled_at == at]
    if beside and (reset or any(each.odometer_reset for each in beside)):
        # nobody could say which of them came after the reset
        raise Invalid(
            "An odometer that begins anew needs a moment of its own.",
            field_errors={"filled_at": [f"At this moment is another fill ({beside[0].id})"]},
        )
    if before is not None and not reset and odometer < before.odometer_m:
        raise _backwards("before", "less", before)
    if after is not None and not after.odometer_reset and odometer > after.odometer_m:
        raise _backwards("after", "more", after)


def _backwards(side: str, how: str, other: Row[Any]) -> OdometerBackwards:
    at = f"{other.filled_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    said = f"{how} than the {other.odometer_m} m of the fill {side} it, {other.id} of {at}"
    return OdometerBackwards(
        f"The odometer does not run backwards: it is {said}. If it began anew, say odometer_reset.",
        field_errors={"odometer_m": [f"Is {said}"]},
    )


def _check_gap(owner_id: UUID, vehicle_id: UUID, gone: FillView) -> Steps[None]:
    """Refuse to take a reset away from between two fills that need it."""
    place = (gone.filled_at, gone.odometer_m, gone.id)
    before, after = yield from _neighbours(owner_id, vehicle_id, place)
    if before is None or after is None or after.odometer_reset:
        return
    if after.odometer_m < before.odometer_m:
        raise ResetNeeded(
            f"Without this reset the odometer would run backwards, from {before.odometer_m} m to "
            f"the {after.odometer_m} m of the next fill, {after.id}; mark that one as the reset."
        )

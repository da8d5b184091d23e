"""Adding, changing, removing and ordering the stops of a trip; positions are 1 to n, always."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update

from core.database import Steps, bind
from core.errors import Invalid
from core.ids import new_id
from services.idempotency import IdempotencyKey
from services.records import Made, Versions, made_before
from services.trips import views
from services.trips.errors import StopNotFound, TooManyStops
from services.trips.views import STOPS, StopView

# One statement for one stop and for hundreds. JSON null becomes NULL.
_INSERT = text("""
INSERT INTO stops (owner_id, trip_id, id, position, name, lat, lon, service_s, windows, opening,
                   required, prize, zone, overnight, nights, night_cost)
SELECT :owner, :trip, n.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n (id uuid,
    position integer, name text, lat float8, lon float8, service_s integer, windows jsonb,
    opening jsonb, required boolean, prize float8, zone text, overnight boolean, nights integer,
    night_cost jsonb)
""")

# The unique constraint on positions is checked once all are moved.
_RENUMBER = text("""
UPDATE stops SET position = place.n
FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS place (id, n)
WHERE stops.id = place.id AND stops.trip_id = :trip AND stops.position <> place.n
""")


def order_of(trip_id: UUID) -> Steps[list[UUID]]:
    """The ids of a locked trip's stops in order."""
    wanted = select(STOPS.c.id).where(STOPS.c.trip_id == trip_id, STOPS.c.deleted_at.is_(None))
    return list((yield wanted.order_by(STOPS.c.position)).scalars())


def renumber(trip_id: UUID, ids: Sequence[UUID]) -> Steps[None]:
    """Give all stops of a locked trip the positions that they have in `ids`."""
    yield bind(_RENUMBER, ids=list(ids), trip=trip_id)


# The stops behind make room.
_SHIFT = text(
    "UPDATE stops SET position = position + :by WHERE trip_id = :trip AND position >= :first"
)


def add(
    owner_id: UUID,
    trip_id: UUID,
    new: Sequence[dict[str, Any]],
    *,
    at: int | None,
    most: int,
    versions: Versions = None,
    key: IdempotencyKey | None = None,
) -> Steps[Made]:
    """Insert stops, one behind the other.

    Args:
        new: their columns, as JSON values; at least one.
        at: position of the first of them; None: after the last stop.
        most: how many stops a trip may have.

    Returns:
        The first of them.

    Raises:
        TripNotFound, PreconditionFailed, TooManyStops.
        Invalid: there is no such position.
        KeyReused, KeyInFlight: see `take_key`.
    """
    ids = [new_id() for _ in new]
    earlier = yield from made_before(owner_id, key, ids[0])
    if earlier is not None:
        return earlier
    yield from views.RECORDS.lock(owner_id, trip_id, versions)
    there = len((yield from order_of(trip_id)))
    if there + len(new) > most:
        raise TooManyStops(f"A trip holds at most {most} stops; this one has {there} already.")
    first = _place(at, there + 1)
    rows = [
        {**stop, "id": str(stop_id), "position": first + n}
        for n, (stop_id, stop) in enumerate(zip(ids, new, strict=True))
    ]
    yield bind(_SHIFT, trip=trip_id, first=first, by=len(new))
    yield bind(_INSERT, owner=owner_id, trip=trip_id, rows=json.dumps(rows))
    yield from views.RECORDS.touch(owner_id, trip_id)
    return Made(ids[0])


def _place(wanted: int | None, last: int) -> int:
    if wanted is None:
        return last
    if wanted > last:
        raise Invalid(field_errors={"position": [f"The positions here are 1 to {last}"]})
    return wanted


def change(
    owner_id: UUID,
    trip_id: UUID,
    stop_id: UUID,
    revise: Callable[[StopView], tuple[dict[str, Any], int | None]],
    versions: Versions = None,
) -> Steps[tuple[StopView, int]]:
    """Change what the owner has written of a stop, and its position if one is given.

    Args:
        revise: from the stop as it is to its columns as they shall be, and its position.

    Returns:
        The stop and the version of its trip.

    Raises:
        TripNotFound, StopNotFound, PreconditionFailed.
        Invalid: there is no such position.
    """
    yield from views.RECORDS.lock(owner_id, trip_id, versions)
    stop, version = yield from views.read_stop(owner_id, trip_id, stop_id)
    columns, position = revise(stop)
    moved = position is not None and position != stop.position
    if columns == stop.written() and not moved:
        return stop, version
    yield update(STOPS).where(STOPS.c.id == stop_id).values(**columns, updated_at=func.now())
    if moved:
        order = yield from order_of(trip_id)
        place = _place(position, len(order))
        order.remove(stop_id)
        order.insert(place - 1, stop_id)
        yield from renumber(trip_id, order)
    yield from views.RECORDS.touch(owner_id, trip_id)
    return (yield from views.read_stop(owner_id, trip_id, stop_id))


def remove(owner_id: UUID, trip_id: UUID, stop_id: UUID, versions: Versions = None) -> Steps[None]:
    """Hide a stop; those behind it move up.

    Raises:
        TripNotFound, StopNotFound, PreconditionFailed.
    """
    yield from views.RECORDS.lock(owner_id, trip_id, versions)
    order = yield from order_of(trip_id)
    if stop_id not in order:
        raise StopNotFound
    order.remove(stop_id)
    yield update(STOPS).where(STOPS.c.id == stop_id).values(position=None, deleted_at=func.now())
    yield from renumber(trip_id, order)
    yield from views.RECORDS.touch(owner_id, trip_id)


def reorder(
    owner_id: UUID, trip_id: UUID, ids: Sequence[UUID], versions: Versions = None
) -> Steps[int]:
    """Put all stops of a trip into a new order.

    Returns:
        The version of the trip.

    Raises:
        TripNotFound, PreconditionFailed.
        Invalid: `ids` are not exactly the trip's stops.
    """
    version = yield from views.RECORDS.lock(owner_id, trip_id, versions)
    order = yield from order_of(trip_id)
    if list(ids) == order:
        return version
    if wrong := _differences(ids, order):
        raise Invalid(field_errors={"stop_ids": wrong})
    yield from renumber(trip_id, ids)
    return (yield from views.RECORDS.touch(owner_id, trip_id))


def _differences(ids: Sequence[UUID], order: Sequence[UUID]) -> list[str]:
    """What stands between `ids` and being another order of the same stops."""
    found = []
    if twice := len(ids) - len(set(ids)):
        found.append(f"{twice} given more than once")
    if unknown := set(ids) - set(order):
        found.append(f"{len(unknown)} are not stops of this trip")
    if missing := set(order) - set(ids):
        found.append(f"{len(missing)} stops of this trip are missing")
    return found

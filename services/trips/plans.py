"""Planning a trip: what it says is read with its version, and a plan is written to that version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, text

from core.database import Steps, bind
from services.trips import stops, views
from services.trips.errors import TripNotFound
from services.trips.views import TRIPS, StopView, TripView


def to_plan(owner_id: UUID, trip_id: UUID) -> Steps[tuple[TripView, list[StopView]]]:
    """A trip and its stops in order, all of one version: nobody changes it before the commit.

    Raises:
        TripNotFound
    """
    held = select(TRIPS.c.id).where(TRIPS.c.id == trip_id, TRIPS.c.owner_id == owner_id)
    yield held.with_for_update(read=True)
    trip = yield from views.RECORDS.read(owner_id, trip_id)
    return trip, (yield from views.stops_of(trip_id))


class NotApplied(StrEnum):
    """Why a plan was not written to its trip."""

    TRIP_CHANGED = "TRIP_CHANGED"
    TRIP_DELETED = "TRIP_DELETED"


@dataclass(frozen=True)
class PlannedVisit:
    """When a stop is visited."""

    stop_id: UUID
    arrive_at: datetime
    depart_at: datetime
    day: int


# Whatever is not visited has no times.
_PLAN = text("""
UPDATE stops SET planned_arrive_at = visit.arrive_at, planned_depart_at = visit.depart_at,
    day = visit.day
FROM stops AS stop LEFT JOIN unnest(CAST(:ids AS uuid[]), CAST(:arrivals AS timestamptz[]),
    CAST(:departures AS timestamptz[]), CAST(:days AS integer[]))
    AS visit (id, arrive_at, depart_at, day) ON visit.id = stop.id
WHERE stops.id = stop.id AND stops.trip_id = :trip AND stops.deleted_at IS NULL
""")


def apply_plan(
    owner_id: UUID, trip_id: UUID, version: int | None, visits: Sequence[PlannedVisit]
) -> Steps[NotApplied | None]:
    """Write order and times of a plan to its trip, which thereby gets the next version.

    Stops that the plan skips come last, in the order that they had.

    Args:
        version: of the trip that was planned.

    Returns:
        Why nothing was written, or None.
    """
    try:
        now = yield from views.RECORDS.lock(owner_id, trip_id)
    except TripNotFound:
        return NotApplied.TRIP_DELETED
    if now != version:
        return NotApplied.TRIP_CHANGED
    visited = [visit.stop_id for visit in visits]
    skipped = [each for each in (yield from stops.order_of(trip_id)) if each not in set(visited)]
    yield from stops.renumber(trip_id, [*visited, *skipped])
    yield bind(
        _PLAN,
        trip=trip_id,
        ids=visited,
        arrivals=[visit.arrive_at for visit in visits],
        departures=[visit.depart_at for visit in visits],
        days=[visit.day for visit in visits],
    )
    yield from views.RECORDS.touch(owner_id, trip_id)
    return None

"""Trips and stops, as they come in and go out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from api.merge import PatchOf
from api.schemas.base import Body
from services.trips.views import StopView, TripView
from tasks.plan_route.contract.request import MAX_STOPS, End, Limits, StopFields, Vehicle
from tasks.plan_route.contract.values import Day as Day
from tasks.plan_route.contract.values import Model, Place, Text, Zone

NOTES_MAX = 20_000


class TripNew(Model):
    """A trip; only the title is needed to begin with."""

    title: Annotated[Text, StringConstraints(min_length=1, strip_whitespace=True)]
    start: Place | None = None
    end: End = Field("start", description='"start": a round trip. "any": the last stop.')
    starts_on: Day | None = Field(None, description="The first day, where the trip starts.")
    zone: Zone | None = Field(None, description="Zone of the start; null: from its coordinates.")
    vehicle: Vehicle = Vehicle()
    limits: Limits | None = Field(None, description="null: no days, drive on.")
    notes: str = Field("", max_length=NOTES_MAX)

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        return {**self.model_dump(mode="json"), "starts_on": self.starts_on}


TripPatch = Annotated[dict[str, Any], PatchOf(TripNew)]


class TripRead(TripNew):
    """A trip."""

    id: UUID
    version: int = Field(description="Grows with every change of the trip or its stops; the ETag.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = Field(description="Only in a list of deleted trips.")


def trip_shown(trip: TripView) -> dict[str, Any]:
    """The fields of `TripRead`. What was valid once is shown as it was stored."""
    times = ("created_at", "updated_at", "deleted_at")
    return {
        "id": trip.id,
        **trip.written(),
        "version": trip.version,
        **{name: _utc(getattr(trip, name)) for name in times},
    }


class StopNew(StopFields):
    """A stop of a trip."""

    position: int | None = Field(
        None, strict=True, ge=1, le=MAX_STOPS, description="null: after the last."
    )

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        return self.model_dump(mode="json", exclude={"position"})


StopPatch = Annotated[dict[str, Any], PatchOf(StopNew)]


class StopsNew(Body):
    """Several stops, one behind the other."""

    stops: list[StopFields] = Field(min_length=1, max_length=MAX_STOPS)
    position: int | None = Field(
        None, strict=True, ge=1, le=MAX_STOPS, description="Of the first; null: after the last."
    )


class StopOrder(Body):
    """All stops of a trip in their new order."""

    stop_ids: list[UUID] = Field(max_length=MAX_STOPS)


class StopRead(StopFields):
    """A stop of a trip."""

    id: UUID
    trip_id: UUID
    position: int = Field(description="1 to n, without a gap.")
    planned_arrive_at: datetime | None = Field(
        description="Of the plan that was last applied; null where it skips the stop."
    )
    planned_depart_at: datetime | None
    day: int | None


def stop_shown(stop: StopView) -> dict[str, Any]:
    """The fields of `StopRead`."""
    return {
        "id": stop.id,
        "trip_id": stop.trip_id,
        "position": stop.position,
        **stop.written(),
        "planned_arrive_at": _utc(stop.planned_arrive_at),
        "planned_depart_at": _utc(stop.planned_depart_at),
        "day": stop.day,
    }


def stop_of_route(stop: StopView) -> Mapping[str, Any]:
    """A stop as a route request spells it."""
    return {"id": str(stop.id), **stop.written()}


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)

"""A route request that names a trip of its owner instead of repeating it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, WrapValidator
from pydantic_core import PydanticCustomError

from tasks.plan_route.contract import rules
from tasks.plan_route.contract.request import (
    MAX_STOPS,
    MIN_STOPS,
    End,
    Limits,
    RouteRequest,
    Vehicle,
    Wish,
)
from tasks.plan_route.contract.rules import Finding
from tasks.plan_route.contract.values import Moment, Place, Zone
from tasks.plan_route.contract.zones import zone_at

DAY_START: Final = "08:00"
"""When a trip leaves on its first day, local time, where its limits do not say."""

_OF_TRIP = ("start", "end", "zone", "vehicle", "limits")
#: null says as much as nothing; of `zone`, `limits` and `matrix` it has a meaning of its own.
_NULL_IS_NOTHING = ("start", "end", "vehicle", "depart_at")


def _no_stops(stops: list[Any]) -> list[Any]:
    if stops:
        raise PydanticCustomError("trip_and_stops", "A trip brings its own stops; give only one")
    return stops


class TripRequest(Wish):
    """A trip to plan as it is. What is given here goes before what the trip says.

    The plan is written to the trip if its version is still the same when the plan is ready.
    """

    trip_id: UUID
    stops: Annotated[list[Any], AfterValidator(_no_stops)] = Field(
        default_factory=list, description="The trip's own: leave it out.", max_length=MAX_STOPS
    )
    start: Place | None = None
    end: End | None = None
    depart_at: Moment | None = Field(
        None,
        description="null: the morning of `starts_on`, at the `day_start` of the limits "
        f"(else {DAY_START}), in the trip's zone (else that of its start).",
    )
    zone: Zone | None = None
    limits: Limits | None = Field(None, description="null, if said: no days, drive on.")
    vehicle: Vehicle | None = Field(None, description="Instead of the trip's, as a whole.")

    def filled(
        self, trip: Mapping[str, Any], stops: Sequence[Mapping[str, Any]], version: int
    ) -> RouteRequest:
        """The whole request.

        Args:
            trip: `start`, `end`, `zone`, `vehicle`, `limits` and `starts_on` of the trip.
            stops: its stops in the order of their positions, with ids.
            version: which version of the trip that is.

        Raises:
            ValidationError: names what is missing or wrong, stops by their place in the order.
        """
        given = self.model_dump(mode="json", exclude_unset=True, exclude={"stops"})
        given = {k: v for k, v in given.items() if v is not None or k not in _NULL_IS_NOTHING}
        kept = {name: trip[name] for name in _OF_TRIP if trip[name] is not None}
        whole = {**kept, **given, "stops": list(stops), "trip_version": version}
        if missing := list(_missing(whole, trip["starts_on"])):
            raise rules.refusal([*missing, *rules.of_shape(whole, MIN_STOPS, MAX_STOPS)])
        if "depart_at" not in whole:
            whole["depart_at"] = morning(trip["starts_on"], whole)
        return RouteRequest.model_validate(whole)


def _missing(whole: Mapping[str, Any], starts_on: date | None) -> Iterator[Finding]:
    if "start" not in whole:
        text = "The trip has no start; set it there or give one here"
        yield Finding(PydanticCustomError("missing", text), ("start",), None)
    if "depart_at" not in whole and starts_on is None:
        text = "The trip has no day to start on (starts_on); set it there or give depart_at here"
        yield Finding(PydanticCustomError("missing", text), ("depart_at",), None)


def morning(day: date, whole: Mapping[str, Any]) -> datetime:
    """When the trip leaves on that day. A time that a clock change skips is taken after it."""
    clock = time.fromisoformat((whole.get("limits") or {}).get("day_start") or DAY_START)
    start = whole["start"]
    zone = whole.get("zone") or zone_at(start["lat"], start["lon"])
    return datetime.combine(day, clock, ZoneInfo(zone))


def _by_trip(value: Any, _: Any) -> RouteRequest | TripRequest:
    named = isinstance(value, Mapping) and value.get("trip_id") is not None
    # chosen here and not by a union, so that errors keep their fields: stops.3.lat
    return TripRequest.model_validate(value) if named else RouteRequest.model_validate(value)


RouteBody = Annotated[RouteRequest | TripRequest, WrapValidator(_by_trip)]
"""What may be posted: a whole request, or the trip to plan."""

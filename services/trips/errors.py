"""What can be wrong with what is asked of a trip."""

from __future__ import annotations

from core.errors import Invalid, NotFound


class TripNotFound(NotFound):
    """There is no such trip."""

    code = "TRIP_NOT_FOUND"


class StopNotFound(NotFound):
    """There is no such stop on this trip."""

    code = "STOP_NOT_FOUND"


class TooManyStops(Invalid):
    """A trip holds no more stops than one plan can."""

    code = "TOO_MANY_STOPS"

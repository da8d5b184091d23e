"""Which roads this installation has: Mapbox where it has a token, its own graph everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from core.database import Database
from core.settings import Settings
from services.roads.highways import Highways
from services.roads.table import EstimatedTable


class Roads(Protocol):
    """A provider of tables."""

    def table(self, places: Sequence[tuple[float, float]]) -> EstimatedTable:
        """The table between places given as (lat, lon) in degrees."""
        ...


def roads_for(settings: Settings, database: Database, check: Callable[[], None]) -> Roads:
    """The roads to plan with.

    Args:
        database: of the role `app`; holds what Mapbox answered, and what was asked today.
        check: asked at least every half second; what it raises ends the work.
    """
    offline = Highways(check)
    if settings.mapbox_token is None:
        return offline
    # an HTTP client that few installations need
    from services.roads.online import MapboxRoads

    return MapboxRoads(settings, database, offline, check)

"""The IANA time zone of a place on land or sea, offline."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=10_000)
def zone_at(lat: float, lon: float) -> str:
    """The zone of a point in WGS 84 degrees; "UTC" where the data knows none.

    The boundaries inside tzfpy are simplified, so close to one the neighbour's zone may
    come back.
    """
    from tzfpy import get_tz  # loads its data: 0.15 s once

    name = str(get_tz(lon, lat))
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return name

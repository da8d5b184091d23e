"""What Mapbox answered lately, and what was asked of it today, for all processes together.

A cell is found by a digest of its two places, so that no table says where anybody has been.
Figures that one user's trip has fetched serve another's: they say nothing of who asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind

DECIMALS = 5
"""Of degrees: about a metre, finer than any snap to a road."""

Place = tuple[float, float]
Figures = tuple[int, int] | None
"""Seconds and metres; None: there is no way."""


def rounded(place: Place) -> Place:
    """A place as it is asked for and found again."""
    lat, lon = (round(degrees, DECIMALS) + 0.0 for degrees in place)  # -0.0 becomes 0.0
    return lat, lon


def key_of(profile: str, source: Place, target: Place) -> UUID:
    """The name of a cell; places are `rounded`."""
    (lat, lon), (to_lat, to_lon) = source, target
    named = f"mapbox/{profile}|{lat:.5f},{lon:.5f}|{to_lat:.5f},{to_lon:.5f}"
    return UUID(bytes=blake2b(named.encode(), digest_size=16).digest())


_FIND = text("""
SELECT key, duration_s, distance_m FROM road_cells
WHERE key = ANY(CAST(:keys AS uuid[])) AND expires_at > now()
""")


def find(keys: Sequence[UUID]) -> Steps[dict[UUID, Figures]]:
    """Those of the cells that are known."""
    rows = yield bind(_FIND, keys=list(keys))
    return {
        row.key: None if row.duration_s is None else (row.duration_s, row.distance_m)
        for row in rows
    }


# Sorted, so that two writers of the same cells do not wait for each other in a circle.
_KEEP = text("""
INSERT INTO road_cells (key, duration_s, distance_m, expires_at)
SELECT key, duration_s, distance_m, now() + make_interval(secs => :keep_s)
FROM unnest(CAST(:keys AS uuid[]), CAST(:durations AS integer[]), CAST(:distances AS integer[]))
    AS cell (key, duration_s, distance_m) ORDER BY key
ON CONFLICT (key) DO UPDATE SET duration_s = excluded.duration_s,
    distance_m = excluded.distance_m, expires_at = excluded.expires_at
""")


def keep(cells: Iterable[tuple[UUID, Figures]], *, keep_s: float) -> Steps[None]:
    """Remember cells for so many seconds; housekeeping forgets them."""
    known = dict(cells)
    if known:
        yield bind(
            _KEEP,
            keys=list(known),
            durations=[None if figures is None else figures[0] for figures in known.values()],
            distances=[None if figures is None else figures[1] for figures in known.values()],
            keep_s=keep_s,
        )


# Turns are a bucket: each call moves the common clock on by the time that one call costs. A
# turn that nobody would wait for is not given, else those who leave would hold up all others.
_RESERVE = text("""
INSERT INTO road_spending (day, elements, turn_at)
SELECT (now() AT TIME ZONE 'UTC')::date, :elements, now() + make_interval(secs => :every_s)
WHERE :elements <= :budget
ON CONFLICT (day) DO UPDATE SET elements = road_spending.elements + excluded.elements,
    turn_at = greatest(road_spending.turn_at, now()) + make_interval(secs => :every_s)
    WHERE road_spending.elements + excluded.elements <= :budget
      AND road_spending.turn_at <= now() + make_interval(secs => :latest_s)
RETURNING extract(epoch FROM turn_at - now())::float8 AS ahead_s
""")

_SPENT = text("""
SELECT coalesce(sum(elements), 0) + :elements > :budget FROM road_spending
WHERE day = (now() AT TIME ZONE 'UTC')::date
""")


class OverBudget(Exception):
    """The rest of the day's elements does not cover the call."""


class TooBusy(Exception):
    """So many calls wait for their turn that this one would wait too long."""


def reserve(elements: int, *, budget: int, per_minute: int, patience_s: float) -> Steps[float]:
    """Take the elements of one call from the budget of the day, and a turn.

    Half of the calls of a minute may go at once and the rest is spread, so that no minute
    sees more than `per_minute`, whichever process asks.

    Returns:
        Seconds to wait for the turn.

    Raises:
        OverBudget, TooBusy: nothing was taken.
    """
    every_s, burst = 120 / per_minute, per_minute // 2
    latest_s = (burst - 1) * every_s + max(0.0, patience_s)
    values = {"elements": elements, "budget": budget}
    row = (yield bind(_RESERVE, **values, every_s=every_s, latest_s=latest_s)).first()
    if row is not None:
        ahead_s: float = row.ahead_s
        return max(0.0, ahead_s - burst * every_s)
    raise OverBudget if (yield bind(_SPENT, **values)).scalar_one() else TooBusy

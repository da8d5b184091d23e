"""Where the lines of a chart and of the map lie: fractions of the width and height, 0..1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tasks.report_expenses.engine.book import DayTotal, Route

#: A line by days is readable up to a year; a longer one is drawn by weeks.
LONGEST_BY_DAY = 366
#: How many days (weeks) the mean beside the line goes back.
MEAN_DAYS, MEAN_WEEKS = 7, 4
#: Points of the route nearer to each other than this part of the width fall together.
_NEAR = 0.002
#: Height of the map as a part of its width: at least, at most; and the free edge around the route.
_FLATTEST, _TALLEST, _EDGE = 0.36, 0.54, 0.08
_EARTH_M = 40_075_016.686  # around the equator of WGS 84


@dataclass(frozen=True)
class Series:
    """What was spent in each day, or week, of a period.

    Attributes:
        starts: the first day of each.
        step: its days, 1 or 7.
        mean: of the last seven (weeks: four), as many as there are.
    """

    starts: list[date]
    values: list[Decimal]
    mean: list[Decimal]
    step: int


def series(days: Sequence[DayTotal], first: date, end: date) -> Series:
    """Every day of the period, those without an entry too; beyond a year by weeks."""
    step = 1 if (end - first).days <= LONGEST_BY_DAY else 7
    values = [Decimal(0)] * -(-(end - first).days // step)
    for each in days:
        values[(each.day - first).days // step] += each.spent
    back = MEAN_DAYS if step == 1 else MEAN_WEEKS
    mean = []
    for n in range(len(values)):
        window = values[max(0, n - back + 1) : n + 1]
        mean.append(sum(window, Decimal(0)) / len(window))
    starts = [first + timedelta(days=n * step) for n in range(len(values))]
    return Series(starts, values, mean, step)


def ticks(low: Decimal, high: Decimal, about: int = 4) -> list[Decimal]:
    """Round numbers from at most `low` to at least `high`, 0 among them if it lies between."""
    low, high = min(low, Decimal(0)), max(high, Decimal(0))
    if low == high:
        high = Decimal(1)
    rough = (high - low) / about
    power = Decimal(10) ** rough.adjusted()
    step = next(power * n for n in (1, 2, Decimal("2.5"), 5, 10) if power * n >= rough)
    lowest = math.floor(low / step)
    return [step * n for n in range(lowest, math.ceil(high / step) + 1)]


def height(value: Decimal, marks: Sequence[Decimal]) -> float:
    """Where a value lies between the lowest and the highest mark, from below."""
    return round(float((value - marks[0]) / (marks[-1] - marks[0])), 4)


def month_starts(first: date, end: date, most: int = 8) -> list[date]:
    """At most so many firsts of months in a period, evenly apart."""
    found, day = [], first if first.day == 1 else _next_month(first)
    while day < end:
        found.append(day)
        day = _next_month(day)
    return found[:: -(-len(found) // most)] if found else []


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


@dataclass(frozen=True)
class Map:
    """A route as it is drawn (Mercator, north is up).

    Attributes:
        ratio: height by width.
        line, places: (x, y) from the upper left corner.
        meridians, parallels: where the lines of degrees lie, and their degrees.
        scale: the part of the width that `scale_m` metres take, in the middle of the map.
    """

    ratio: float
    line: list[tuple[float, float]]
    places: list[tuple[float, float]]
    meridians: list[tuple[float, float]]
    parallels: list[tuple[float, float]]
    scale: float
    scale_m: int


def draw_map(route: Route, *, unit_m: float) -> Map | None:
    """The route, fitted into a frame. None where there is nothing to draw.

    Args:
        unit_m: metres of the unit that the scale counts in: 1,000, or those of a mile.
    """
    given = list(route.line) or [(place.lat, place.lon) for place in route.places]
    if not given:
        return None
    turned = _unrolled([*given, *((place.lat, place.lon) for place in route.places)])
    flat = [_mercator(lat, lon) for lat, lon in turned]
    left, right = min(x for x, _ in flat), max(x for x, _ in flat)
    top, foot = min(y for _, y in flat), max(y for _, y in flat)
    # a route of one place is a map of some ten kilometres
    wide, tall = max(right - left, 3e-4), max(foot - top, 1e-4)
    ratio = min(max(tall / wide, _FLATTEST), _TALLEST)
    span = max(wide, tall / ratio) * (1 + 2 * _EDGE)
    x0, y0 = (left + right - span) / 2, (top + foot - span * ratio) / 2

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return round((point[0] - x0) / span, 4), round((point[1] - y0) / (span * ratio), 4)

    metres = span * _EARTH_M * math.cos(math.radians(_latitude(y0 + span * ratio / 2)))
    length = _round_length(metres / unit_m / 4)
    return Map(
        ratio=round(ratio, 4),
        line=_thinned([place(point) for point in flat[: len(given)]]),
        places=[place(point) for point in flat[len(given) :]],
        meridians=[
            (place(_mercator(0, degree))[0], degree)
            for degree in _degrees(x0 * 360 - 180, (x0 + span) * 360 - 180)
        ],
        parallels=[
            (place(_mercator(degree, 0))[1], degree)
            for degree in _degrees(_latitude(y0 + span * ratio), _latitude(y0))
        ],
        scale=round(length * unit_m / metres, 4),
        scale_m=round(length * unit_m),
    )


def _unrolled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same points without a jump at the date line: each lies near the one before."""
    turned: list[tuple[float, float]] = []
    last = points[0][1]
    for lat, lon in points:
        last = lon + 360 * round((last - lon) / 360)
        turned.append((lat, last))
    return turned


def _mercator(lat: float, lon: float) -> tuple[float, float]:
    """0..1 from west to east and from north to south; the poles are out of it."""
    lat = math.radians(max(-85.0, min(85.0, lat)))
    return lon / 360 + 0.5, 0.5 - math.asinh(math.tan(lat)) / (2 * math.pi)


def _latitude(y: float) -> float:
    return math.degrees(math.atan(math.sinh((0.5 - y) * 2 * math.pi)))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The line without points that nobody could tell from the one before; its end stays."""
    kept = [points[0]]
    kept.extend(point for point in points[1:-1] if math.dist(point, kept[-1]) >= _NEAR)
    return [*kept, points[-1]] if len(points) > 1 else kept


def _degrees(low: float, high: float) -> list[float]:
    """Round degrees between two, about five of them."""
    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30) if (high - low) / s <= 6), 45)
    return [round(n * step, 1) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_length(length: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is no longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(n * power for n in (5, 2, 1) if n * power <= length)

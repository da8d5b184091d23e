"""Whether a visit begins when its stop is open: an independent count with datetimes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tasks.plan_route.contract.hours import Opening, weekdays
from tasks.plan_route.contract.request import Stop
from tasks.plan_route.contract.result import Visit
from tasks.plan_route.engine.zones import zone_at

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def wrong_start(stop: Stop, visit: Visit, missed: list[int | None]) -> Iterator[str]:
    """What is wrong with the start of a visit.

    Args:
        stop: with its windows and hours.
        visit: the visit.
        missed: `by_s` of each violation that says that the visit is too late.
    """
    if missed:
        yield from _wrong_miss(stop, visit, missed)
        return
    if not _is_open(stop, visit.start_at):
        yield f"{stop.id} starts at {visit.start_at}, outside its windows"
    earlier = [m for m in _openings(stop, visit.arrive_at, visit.start_at) if _is_open(stop, m)]
    earliest = min([m for m in earlier if m >= visit.arrive_at], default=visit.start_at)
    # Whole seconds: a wait may round up to the next one.
    if visit.start_at - earliest >= SECOND:
        yield f"{stop.id} could start at {earliest}, not only at {visit.start_at}"


def _wrong_miss(stop: Stop, visit: Visit, missed: list[int | None]) -> Iterator[str]:
    """A miss is true: nothing opens any more, and the last opening was so long ago."""
    last = max((w.end for w in stop.windows), default=None)
    if last is None or len(missed) != 1 or visit.wait_s:
        yield f"{stop.id} cannot be too late like this"
        return
    later = [m for m in _openings(stop, visit.arrive_at, last) if m >= visit.arrive_at]
    if any(_is_open(stop, m) for m in later):
        yield f"{stop.id} is not too late at {visit.arrive_at}"
    closings = [m for w in stop.windows for m in _closings(stop, w.end) if _is_open(stop, m)]
    by_s = (visit.arrive_at - max(closings)) / SECOND if closings else None
    said = missed[0]
    if (by_s is None) != (said is None) or abs((by_s or 0) - (said or 0)) >= 1:
        yield f"{stop.id} is {by_s} s too late, not {said}"


def _is_open(stop: Stop, moment: datetime) -> bool:
    if stop.windows and not any(w.start <= moment <= w.end for w in stop.windows):
        return False
    return not stop.opening or any(a <= moment <= b for a, b in _hours(stop, moment, moment))


def _openings(stop: Stop, first: datetime, last: datetime) -> list[datetime]:
    """The moments at which a wait that begins at `first` may end, up to `last`."""
    moments = [first, *(w.start for w in stop.windows)]
    moments += [opens for opens, _ in _hours(stop, first, last)]
    return [moment for moment in moments if moment <= last]


def _closings(stop: Stop, last: datetime) -> list[datetime]:
    """The moments up to `last` at which the last visit may begin."""
    return [last, *(m for _, m in _hours(stop, last - 15 * DAY, last) if m <= last)]


def _hours(stop: Stop, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """(opens, closes) of all days from the one before `first` to that of `last`."""
    if not stop.opening:
        return
    zone = ZoneInfo(stop.zone or zone_at(stop.lat, stop.lon))
    day = first.astimezone(zone).date() - DAY
    while day <= last.astimezone(zone).date():
        for hours in stop.opening:
            if day.weekday() in weekdays(hours.days):
                yield _span(hours, datetime.combine(day, time.min), zone)
        day += DAY


def _span(hours: Opening, day: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    opens = datetime.combine(day, time.fromisoformat(hours.open))
    if hours.close == "24:00":
        closes = day + DAY
    else:
        closes = datetime.combine(day, time.fromisoformat(hours.close))
        closes += DAY if closes <= opens else 0 * DAY
    return opens.replace(tzinfo=zone).astimezone(UTC), closes.replace(tzinfo=zone).astimezone(UTC)

"""Weekly opening hours as moments: when a stop is open next, in its own zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from tasks.plan_route.contract.hours import Opening, minutes, weekdays
from tasks.plan_route.engine.day_clock import MINUTES, DayClock

LOOK_AHEAD = 15
"""Days; a week finds the next opening, unless a clock change takes a short one away."""


class Weekly:
    """Opening hours over all weeks; a time is open from `open` to `close`, both included."""

    def __init__(self, opening: Sequence[Opening], zone: str, depart_at: datetime) -> None:
        """Hours of one stop, at least one, in local time of `zone`."""
        self._clock = DayClock(zone, depart_at)
        self._hours: list[list[tuple[int, int]]] = [[] for _ in range(7)]
        for hours in opening:
            opens, closes = minutes(hours.open), minutes(hours.close)
            over_midnight = MINUTES if closes <= opens else 0
            for weekday in weekdays(hours.days):
                self._hours[weekday].append((opens, closes + over_midnight))
        self._spans: dict[int, list[tuple[int, int]]] = {}

    def spans(self, day: int) -> list[tuple[int, int]]:
        """(opens, closes) of what opens on a day, ascending, in seconds after the departure."""
        found = self._spans.get(day)
        if found is None:
            hours = self._hours[date.fromordinal(day).weekday()]
            at = self._clock.at
            both = [(at(day, opens), at(day, closes, latest=True)) for opens, closes in hours]
            found = sorted((opens, closes) for opens, closes in both if opens <= closes)
            self._spans[day] = found
        return found

    def next(self, second: int) -> int | None:
        """The first open second from `second` on; None: not within two weeks."""
        today = self._clock.day_of(second)
        for day in range(today - 1, today + LOOK_AHEAD):  # yesterday may be open over midnight
            for opens, closes in self.spans(day):
                if second <= closes:
                    return max(second, opens)
        return None

    def last(self, second: int) -> int | None:
        """The last open second up to `second`; None: not within two weeks."""
        today = self._clock.day_of(second)
        for day in range(today, today - LOOK_AHEAD, -1):
            ends = [min(closes, second) for opens, closes in self.spans(day) if opens <= second]
            if ends:
                # Yesterday may have opened earlier and close later.
                before = [min(closes, second) for _, closes in self.spans(day - 1)]
                return max(ends + before)
        return None

    def between(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Open spans from `first` to `last`, cut off at both; they may overlap."""
        for day in range(self._clock.day_of(first) - 1, self._clock.day_of(last) + 1):
            for opens, closes in self.spans(day):
                if opens <= last and closes >= first:
                    yield max(opens, first), min(closes, last)

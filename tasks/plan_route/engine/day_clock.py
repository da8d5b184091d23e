"""The days of one time zone, in whole seconds after the departure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTES = 24 * 60
SECOND = timedelta(seconds=1)


class DayClock:
    """Mornings, evenings and midnights of a zone, on both sides of its clock changes.

    Days are ordinals as of `date.toordinal`. A local time that a clock change skips is
    read with the offset before it, one that comes twice is its first (PEP 495, fold 0).
    """

    def __init__(
        self, zone: str, depart_at: datetime, start_minute: int = 0, end_minute: int = MINUTES
    ) -> None:
        """Days of `zone` that begin and end at minutes after midnight, wall-clock time."""
        self.zone = zone
        self._info = ZoneInfo(zone)
        self._depart_at = depart_at
        self._start, self._end = start_minute, end_minute
        self._first = depart_at.astimezone(self._info).date().toordinal()
        self._days: dict[int, tuple[int, int, int]] = {}
        self._alike: dict[tuple[str, int], int] = {}

    def at(self, day: int, minute: int, *, latest: bool = False) -> int:
        """The second of a wall-clock time; between two seconds the later, or the earlier."""
        on = date.fromordinal(day + minute // MINUTES)
        hour, minute = divmod(minute % MINUTES, 60)
        local = datetime(on.year, on.month, on.day, hour, minute, tzinfo=self._info)
        if latest:
            return (local - self._depart_at) // SECOND
        return -((self._depart_at - local) // SECOND)

    def _day(self, day: int) -> tuple[int, int, int]:
        """(midnight that begins it, morning, evening), kept for the next question."""
        found = self._days.get(day)
        if found is None:
            evening = self.at(day, self._end, latest=True)
            # Midnight itself is the next day, to which nobody drives without a night.
            evening = min(evening, self.at(day + 1, 0) - 1)
            found = (self.at(day, 0), self.at(day, self._start), evening)
            self._days[day] = found
        return found

    def midnight(self, day: int) -> int:
        """When a day begins."""
        return self._day(day)[0]

    def morning(self, day: int) -> int:
        """From when on there is driving."""
        return self._day(day)[1]

    def evening(self, day: int) -> int:
        """Until when there is driving; never midnight itself."""
        return self._day(day)[2]

    def day_of(self, second: int) -> int:
        """The day in which a second lies."""
        day = self._first + (second - self.midnight(self._first)) // 86_400
        while second < self.midnight(day):
            day -= 1
        while second >= self.midnight(day + 1):
            day += 1
        return day

    def day_like(self, other: DayClock, day: int) -> int:
        """The day here that is the same day of the trip as a day there.

        It is the one at noon there, also over the date line; the next one where the zones
        lie so far apart that its evening here is over before the morning there.
        """
        if other.zone == self.zone:
            return day
        key = (other.zone, day)
        if key not in self._alike:
            like = self.day_of(other.at(day, MINUTES // 2))
            self._alike[key] = like + (self.evening(like) <= other.morning(day))
        return self._alike[key]

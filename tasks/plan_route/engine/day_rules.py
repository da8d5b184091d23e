"""What the days of a trip may hold, and the drive from one place to the next under it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from tasks.plan_route.contract.hours import LEAST_DAY_MINUTES, Limits, minutes
from tasks.plan_route.contract.request import RouteRequest
from tasks.plan_route.engine.day_clock import MINUTES, DayClock
from tasks.plan_route.engine.roads import RoadTable
from tasks.plan_route.engine.zones import zone_at

GRACE_S = 5400
"""A day may overrun by 90 minutes of driving to get to the next place; a night by the road
for less would help nobody."""

CLOCK_CHANGES_S = 2 * 3600
"""More than a day, or the difference of two zones, can come to change with the clocks."""

QUIET_FROM = 4 * 60
"""Clocks are changed before 04:00."""

LATEST_START = "08:00"
UNLIMITED = 1 << 60
SPENT = 1 << 61
"""Used up today: a day that has overrun holds no further drive."""

Limit = Literal["DRIVING_LIMIT", "DISTANCE_LIMIT", "DAY_END"]


class Fault(NamedTuple):
    """A day of a drive that a limit was too tight for.

    Attributes:
        code: the limit.
        part: which day of the drive, from 0.
        by_s: the driving beyond the limit that gets to the next place; of an overrun day
            it is driven that day, else the day ends by the road.
        by_m: the same in metres.
    """

    code: Limit
    part: int
    by_s: int
    by_m: int | None = None


class Drive(NamedTuple):
    """One way to get from a place to the next.

    Attributes:
        leaves: when it begins.
        day: the day on which it begins, by the clock of the place that is left.
        parts: seconds driven per day; each but the last ends with a night by the road.
        faults: days on which a limit was too tight.
        arrives: when it ends.
        there: the day of the arrival, by the clock of the place that is reached.
        used_s: driving of that day so far, `SPENT` if it has overrun.
        used_m: its distance so far.
    """

    leaves: int
    day: int
    parts: tuple[int, ...]
    faults: tuple[Fault, ...]
    arrives: int
    there: int
    used_s: int
    used_m: int


@dataclass(frozen=True, eq=False)
class Spot:
    """A place of the trip as its days see it; the prices of nights in 1/10,000."""

    clock: DayClock
    overnight: bool = True
    nights: int = 0
    price: int = 0
    service_s: int = 0


@dataclass(frozen=True)
class Leg:
    """A road, driven at its mean speed."""

    seconds: int
    metres: int

    def metres_at(self, driven: int) -> int:
        """Whole metres after some seconds of driving."""
        return self.metres * driven // self.seconds if self.seconds else self.metres

    def seconds_for(self, metres: int) -> int:
        """Seconds that some metres take, rounded up."""
        return -(-metres * self.seconds // self.metres) if self.metres else 0

    def reach(self, driven: int, metres: int, *, fresh: bool) -> int:
        """Seconds to go on for after `driven` with at most `metres`; 1 at least on a fresh day."""
        if not self.metres or metres >= UNLIMITED:
            return self.seconds
        until = ((metres + self.metres_at(driven) + 1) * self.seconds - 1) // self.metres
        return max(until - driven, 1 if fresh else 0)


class DayRules:
    """The limits of a request over the places of its matrix.

    Attributes:
        driving_s: driving per day.
        distance_m: distance per day.
        spots: the places, in the order of the matrix.
        paid: whether the prices of nights can be compared and differ from nothing.
        currency: theirs.
    """

    def __init__(self, request: RouteRequest, limits: Limits, table: RoadTable) -> None:
        """Read the limits; zones that are not given are found from the coordinates."""
        self.driving_s = limits.driving_per_day_s or UNLIMITED
        self.distance_m = limits.distance_per_day_m or UNLIMITED
        start = request.start
        home = request.zone or zone_at(start.lat, start.lon)
        self._depart_at: datetime = request.depart_at
        self._until = (minutes(limits.day_end) if limits.day_end else 0) or MINUTES
        self._from = _first_minute(limits, request.depart_at, home, self._until)
        self._clocks: dict[str, DayClock] = {}
        priced = [stop.night_cost for stop in request.stops if stop.night_cost]
        currencies = {price.currency for price in priced}
        self.paid = len(currencies) == 1 and any(Decimal(price.amount) for price in priced)
        self.spots = [Spot(self._clock(home))]
        for stop in request.stops:
            paid = self.paid and stop.overnight and stop.night_cost is not None
            price = Decimal(stop.night_cost.amount) if paid and stop.night_cost else 0
            clock = self._clock(stop.zone or zone_at(stop.lat, stop.lon))
            spot = Spot(clock, stop.overnight, stop.nights, int(price * 10_000), stop.service_s)
            self.spots.append(spot)
        if not isinstance(request.end, str):
            self.spots.append(Spot(self._clock(zone_at(request.end.lat, request.end.lon))))
        self._seconds: list[list[int]] = table.durations_s.tolist()
        self._metres: list[list[int]] = table.distances_m.tolist()

    def _clock(self, zone: str) -> DayClock:
        clock = DayClock(zone, self._depart_at, self._from, self._until)
        return self._clocks.setdefault(zone, clock)

    @property
    def hours_s(self) -> int:
        """Seconds between the start and the end of an ordinary day."""
        return (self._until - self._from) * 60

    def leg(self, a: int, b: int) -> Leg:
        """The road between two nodes."""
        return Leg(self._seconds[a][b], self._metres[a][b])

    def longest_day_s(self, a: Spot, b: Spot, day: int) -> int:
        """Seconds that a day can have from a morning at `a` to an evening at `b`."""
        if a.clock is b.clock:
            return self.hours_s + (0 if self._from >= QUIET_FROM else CLOCK_CHANGES_S)
        apart_s = abs(a.clock.midnight(day) - b.clock.midnight(day))
        return self.hours_s + apart_s + CLOCK_CHANGES_S

    def least_faults(self, a: Spot, b: Spot, leg: Leg, day: int) -> int:
        """No drive of a leg has fewer faults, whenever it begins; `day` is any day."""
        hours_s = self.longest_day_s(a, b, day)
        most = min(self.driving_s, leg.reach(0, self.distance_m, fresh=True) + 1, hours_s)
        if leg.seconds <= most:
            return 0
        roadside = -(-leg.seconds // most) - 1
        return min(roadside, 1 + max(0, -(-(leg.seconds - most - GRACE_S) // most)))


def _first_minute(limits: Limits, depart_at: datetime, zone: str, until: int) -> int:
    if limits.day_start is not None:
        return minutes(limits.day_start)
    clock = depart_at.astimezone(ZoneInfo(zone))
    departs = 60 * clock.hour + clock.minute
    return max(0, min(minutes(LATEST_START), departs, until - LEAST_DAY_MINUTES))


def drives(
    rules: DayRules,
    a: Spot,
    b: Spot,
    leg: Leg,
    leaves: int,
    day: int,
    used: tuple[int, int],
    room: int,
) -> list[Drive]:
    """The ways worth a look to drive a leg that begins on a given day.

    Within the limits if that is possible: then nothing else is looked at. Else as far as
    the limits go each day with nights by the road; and, from any of these days on, to the
    end if the day overruns by no more than `GRACE_S`.

    Args:
        rules: the limits.
        a: the place that is left.
        b: the next place.
        leg: the road between them.
        leaves: when it is left, a second in the hours of driving.
        day: the day of that, by the clock of `a`.
        used: driving and distance of the day so far.
        room: no drive with more faults than this is wanted.
    """
    found: list[Drive] = []
    faults: tuple[Fault, ...] = ()
    parts: tuple[int, ...] = ()
    now, on, driven = leaves, day, 0
    used_s, used_m = used
    while True:
        last = _to_the_end(rules, a, b, leg, now, on, driven, (used_s, used_m), len(parts))
        if last is not None and len(faults) + len(last[0]) <= room:
            over, there, total = last
            found.append(
                Drive(
                    leaves, day, (*parts, leg.seconds - driven), faults + over,
                    now + leg.seconds - driven, there, *total,
                )
            )  # fmt: skip
            if not over:
                return found
        code, part = _as_far_as(rules, a, b, leg, now, on, driven, (used_s, used_m))
        if (part <= 0 and not parts) or len(faults) >= room:
            return found
        driven += part
        left_m = leg.metres - leg.metres_at(driven)
        faults = (*faults, Fault(code, len(parts), leg.seconds - driven, left_m))
        parts = (*parts, part)
        on, used_s, used_m = on + 1, 0, 0
        now = a.clock.morning(on)


def _to_the_end(
    rules: DayRules,
    a: Spot,
    b: Spot,
    leg: Leg,
    now: int,
    day: int,
    driven: int,
    used: tuple[int, int],
    part: int,
) -> tuple[tuple[Fault, ...], int, tuple[int, int]] | None:
    """(faults of the day, day of the arrival, driving and distance of it); None: too far."""
    left_s, left_m = leg.seconds - driven, leg.metres - leg.metres_at(driven)
    there = b.clock.day_like(a.clock, day)
    if left_s == left_m == 0:  # the same place: nothing is driven
        return (), there, used
    arrives = now + left_s
    over_s, over_m = used[0] + left_s - rules.driving_s, used[1] + left_m - rules.distance_m
    late_s = arrives - b.clock.evening(there) if left_s else 0
    if over_s <= 0 and over_m <= 0 and late_s <= 0:
        return (), there, (used[0] + left_s, used[1] + left_m)
    if used[0] >= SPENT or arrives >= b.clock.midnight(there + 1):
        return None
    faults = []
    if over_s > 0:
        faults.append(Fault("DRIVING_LIMIT", part, over_s))
    if over_m > 0:
        faults.append(Fault("DISTANCE_LIMIT", part, leg.seconds_for(over_m), over_m))
    if late_s > 0:
        faults.append(Fault("DAY_END", part, late_s))
    if any(fault.by_s > GRACE_S for fault in faults):
        return None
    return tuple(faults), there, (SPENT, SPENT)


def _as_far_as(
    rules: DayRules,
    a: Spot,
    b: Spot,
    leg: Leg,
    now: int,
    day: int,
    driven: int,
    used: tuple[int, int],
) -> tuple[Limit, int]:
    """The limit that ends the day by the road, and the seconds of driving until then."""
    there = b.clock.day_like(a.clock, day)
    evening = min(a.clock.evening(day), b.clock.evening(there))
    fresh = used == (0, 0)
    ends: list[tuple[int, Limit]] = [
        (rules.driving_s - used[0], "DRIVING_LIMIT"),
        (leg.reach(driven, rules.distance_m - used[1], fresh=fresh), "DISTANCE_LIMIT"),
        (evening - now, "DAY_END"),
    ]
    part, code = min(ends, key=lambda end: end[0])
    return code, max(0, part)

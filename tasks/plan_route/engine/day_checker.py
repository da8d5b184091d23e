"""Whether the days of a plan are what they say: an independent count with datetimes.

Nothing here comes from the code that splits orders. Each day is put together again from
visits, legs and nights, then every breach must be named and every name be a breach.
Zones more than six hours apart are spared the comparison of clocks: no road joins them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tasks.plan_route.contract.request import RouteRequest
from tasks.plan_route.contract.result import RoutePlan, Violation
from tasks.plan_route.engine.zones import zone_at

SECOND = timedelta(seconds=1)
FAR_APART = timedelta(hours=6)
Expected = tuple[str, str | None, int | None, int | None]
"""Code, stop, day and seconds of a violation."""


class DayCheck:
    """The days of one plan with limits."""

    def __init__(self, request: RouteRequest, plan: RoutePlan) -> None:
        """The parts of a plan whose stops and legs are known to be right."""
        assert request.limits is not None, "days are of trips with limits"
        self.request, self.plan, self.limits = request, plan, request.limits
        self.stops = {stop.id: stop for stop in request.stops}
        start, end = request.start, request.end
        home = request.zone or zone_at(start.lat, start.lon)
        self.zones = {"start": ZoneInfo(home)}
        for stop in request.stops:
            self.zones[stop.id] = ZoneInfo(stop.zone or zone_at(stop.lat, stop.lon))
        if not isinstance(end, str):
            self.zones["end"] = ZoneInfo(zone_at(end.lat, end.lon))
        self.last = len(plan.days)
        self.morning = self._morning()
        self.evening = self.limits.day_end or "24:00"
        self.ends_at = request.depart_at + timedelta(seconds=plan.totals.elapsed_s)
        self.driven: Counter[int] = Counter()
        self.metres: Counter[int] = Counter()
        self.expected: list[Expected] = []

    def faults(self) -> list[str]:
        """Everything that is wrong with the days."""
        if wrong := list(self._wrong_frame()):
            return wrong  # the rest could not even be looked up
        found = [*self._wrong_nights(), *self._wrong_drives(), *self._wrong_sums()]
        return found + list(self._wrong_names())

    def _morning(self) -> str:
        if self.limits.day_start is not None:
            return self.limits.day_start
        clock = self.request.depart_at.astimezone(self.zones["start"])
        end = self.limits.day_end or "24:00"
        two_before = f"{max(0, int(end[:2]) - 2):02}{end[2:]}" if end[:2] >= "02" else "00:00"
        if end == "00:00":
            two_before = "22:00"
        return min("08:00", f"{clock:%H:%M}", two_before)

    def _at(self, zone: ZoneInfo, day: date, clock: str) -> datetime:
        """A wall-clock time as a moment, 24:00 being the day after."""
        if clock in ("24:00", "00:00") and clock == self.evening:
            day, clock = day + timedelta(days=1), "00:00"
        return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)

    def _wrong_frame(self) -> Iterator[str]:
        plan = self.plan
        if [day.day for day in plan.days] != list(range(1, self.last + 1)):
            yield "the days are not numbered one after the other"
        if plan.totals.days != self.last:
            yield f"totals.days is {plan.totals.days}, not {self.last}"
        numbers = [1]
        for leg, visit in zip(plan.legs, plan.visits, strict=False):
            numbers += [leg.day, visit.day]
        numbers += [leg.day for leg in plan.legs[len(plan.visits) :]] + [self.last]
        if numbers != sorted(numbers):
            yield "the days of legs and visits go back"

    def _wrong_nights(self) -> Iterator[str]:
        """Every night but the last day's is somewhere, and where it is allowed to be."""
        where: dict[int, str | None] = {}
        for key, arrived, left in self._sojourns():
            stop = self.stops.get(key)
            allowed = stop is None or stop.overnight
            for number in range(arrived, left):
                where[number] = key if allowed else None
                if not allowed:
                    self.expected.append(("NIGHT_NOT_ALLOWED", key, number, None))
            if stop is not None and left - arrived < stop.nights:
                yield f"{key} has {left - arrived} nights, not {stop.nights}"
        for day in self.plan.days:
            night, place = day.night, where.get(day.day)
            paid = self.stops.get(place or "")
            if (night is None) != (day.day == self.last):
                yield f"day {day.day} has a night too many or too few"
            elif night is not None and night.stop_id != place:
                yield f"the night of day {day.day} is at {night.stop_id}, not at {place}"
            elif night is not None and night.cost != (paid.night_cost if paid else None):
                yield f"the night of day {day.day} has a wrong price"

    def _sojourns(self) -> Iterator[tuple[str, int, int]]:
        """(place, day of arrival, day of leaving) from the start on."""
        places = ["start", *(visit.stop_id for visit in self.plan.visits)]
        arrived = [1, *(visit.day for visit in self.plan.visits)]
        left = [leg.day for leg in self.plan.legs]
        if len(left) < len(places):
            left.append(self.last)
        yield from zip(places, arrived, left, strict=True)

    def _wrong_drives(self) -> Iterator[str]:
        """Each leg within its days; what each day drives is put together on the way."""
        visits = self.plan.visits
        leaves = [None, *(visit.depart_at for visit in visits)]
        arrives = [*(visit.arrive_at for visit in visits), self.ends_at]
        days = [*(visit.day for visit in visits), self.last]
        for i, leg in enumerate(self.plan.legs):
            left = leaves[i]
            if left is None:
                left = self.request.depart_at
                if leg.day == days[i]:  # the morning, the departure: whichever is later
                    left = arrives[i] - timedelta(seconds=leg.duration_s)
            if left < self.request.depart_at:
                yield "the trip begins before its departure"
            yield from self._wrong_drive(i, left, arrives[i], days[i])

    def _wrong_drive(self, i: int, left: datetime, arrives: datetime, last: int) -> Iterator[str]:
        leg = self.plan.legs[i]
        here, there = self.zones[leg.from_], self.zones[leg.to]
        near = abs((left.astimezone(here).utcoffset() or timedelta())
                   - (left.astimezone(there).utcoffset() or timedelta())) <= FAR_APART  # fmt: skip
        clock = f"{left.astimezone(here):%H:%M}"
        if leg.duration_s and clock < self.morning and (i or leg.day == last):
            yield f"leg {i} begins at {clock}, before the day"
        parts = self._parts(i, arrives, last)
        if parts is None or min(parts.values()) < 0 or sum(parts.values()) != leg.duration_s:
            yield f"leg {i} does not fit its days"
            return
        driven = 0
        for day, seconds in parts.items():
            before = leg.distance_m * driven // leg.duration_s if leg.duration_s else 0
            driven += seconds
            after = leg.distance_m * driven // leg.duration_s if leg.duration_s else leg.distance_m
            self.driven[day] += seconds
            self.metres[day] += after - before
            if day != last:
                began = left if day == leg.day else None
                yield from self._wrong_roadside(i, day, began, seconds, leg.duration_s - driven)
        if leg.day == last and abs(arrives - left - timedelta(seconds=driven)) >= SECOND:
            yield f"leg {i} takes {arrives - left}, not {driven} s"
        if not near:
            self.expected += [(v.code, None, last, v.by_s) for v in self._ends() if v.day == last]
        elif leg.duration_s:
            morning = self._at(here, self.plan.days[last - 1].date, self.morning)
            self._late(last, left if leg.day == last else morning, arrives, there)

    def _parts(self, i: int, arrives: datetime, last: int) -> dict[int, int] | None:
        """Seconds driven per day: all of the days between, the last one since its morning."""
        leg = self.plan.legs[i]
        if leg.day == last:
            return {last: leg.duration_s}
        morning = self._at(self.zones[leg.from_], self.plan.days[last - 1].date, self.morning)
        between = {day: self.plan.days[day - 1].driving_s for day in range(leg.day + 1, last)}
        final = (arrives - morning) // SECOND  # it begins with the next whole second
        first = leg.duration_s - final - sum(between.values())
        return {leg.day: first, **between, last: final}

    def _wrong_roadside(
        self, i: int, day: int, began: datetime | None, seconds: int, rest_s: int
    ) -> Iterator[str]:
        """A day that ends by the road has used up one of its limits."""
        leg = self.plan.legs[i]
        named = [
            v
            for v in self.plan.violations
            if v.day == day and v.code in ("DRIVING_LIMIT", "DISTANCE_LIMIT", "DAY_END")
        ]
        if len(named) != 1:
            yield f"day {day} ends by the road and names {len(named)} limits"
            return
        code = named[0].code
        self.expected.append((code, None, day, rest_s))
        today = self.plan.days[day - 1]
        step = -(-leg.distance_m // max(1, leg.duration_s)) + 1
        used_up = {
            "DRIVING_LIMIT": today.driving_s == self.limits.driving_per_day_s,
            "DISTANCE_LIMIT": today.distance_m + step > (self.limits.distance_per_day_m or 0),
            "DAY_END": self._until_evening(i, today.date, began, seconds),
        }
        if not used_up[code]:
            yield f"day {day} ends by the road although it has not used up its {code}"

    def _until_evening(self, i: int, day: date, began: datetime | None, seconds: int) -> bool:
        leg = self.plan.legs[i]
        here, there = self.zones[leg.from_], self.zones[leg.to]
        dates = [day + timedelta(days=shift) for shift in (-1, 0, 1)]  # of either side of the line
        starts = [self._at(here, on, self.morning) for on in dates]
        starts += [] if began is None else [began]
        stops = [start + timedelta(seconds=seconds) for start in starts]
        evenings = [self._at(zone, on, self.evening) for zone in (here, there) for on in dates]
        return any(abs(a - b) <= 2 * SECOND for a in stops for b in evenings)

    def _late(self, day: int, began: datetime, arrives: datetime, zone: ZoneInfo) -> None:
        """An arrival after the evening of the day on which the drive of that day began."""
        date_there = began.astimezone(zone).date()
        late = arrives - self._at(zone, date_there, self.evening)
        if late > timedelta():
            self.expected.append(("DAY_END", None, day, -(-late // SECOND)))
            return
        for shift in (-1, 1):  # where the clocks of two zones disagree about the date
            late = arrives - self._at(zone, date_there + timedelta(days=shift), self.evening)
            name: Expected = ("DAY_END", None, day, -(-late // SECOND))
            if late > timedelta() and any(name[2:] == (v.day, v.by_s) for v in self._ends()):
                self.expected.append(name)

    def _ends(self) -> list[Violation]:
        return [v for v in self.plan.violations if v.code == "DAY_END"]

    def _wrong_sums(self) -> Iterator[str]:
        for day in self.plan.days:
            if (day.driving_s, day.distance_m) != (self.driven[day.day], self.metres[day.day]):
                yield f"day {day.day} does not drive {day.driving_s} s, {day.distance_m} m"
        prices: Counter[str] = Counter()
        for day in self.plan.days:
            if day.night is not None and day.night.cost is not None:
                prices[day.night.cost.currency] += round(float(day.night.cost.amount) * 10**4)
        said = {cost.currency: round(float(cost.amount) * 10**4)
                for cost in self.plan.totals.nights_cost}  # fmt: skip
        if said != dict(prices):
            yield f"the nights do not cost {said}"

    def _wrong_names(self) -> Iterator[str]:
        """Limits that a day exceeds, then the comparison with what the plan names."""
        for day in self.plan.days:
            over_s = day.driving_s - (self.limits.driving_per_day_s or day.driving_s)
            if over_s > 0:
                self.expected.append(("DRIVING_LIMIT", None, day.day, over_s))
        yield from self._wrong_distances()
        named = [v for v in self.plan.violations if v.code != "WINDOW_MISSED"]
        said: Counter[Expected] = Counter(
            (v.code, v.stop_id, v.day, v.by_s)
            for v in named
            if v.code != "DISTANCE_LIMIT" or self._by_the_road(v.day)
        )
        happened = set(self.expected)
        for name, times in said.items():
            if name not in happened or times > 1:
                yield f"{name} is named {times} times and did not happen so often"
        for name in happened - set(said):
            yield f"{name} is not named"

    def _by_the_road(self, day: int | None) -> bool:
        return any(e[0] == "DISTANCE_LIMIT" and e[2] == day for e in self.expected)

    def _wrong_distances(self) -> Iterator[str]:
        """A day that goes too far says so in metres; its seconds are an estimate."""
        for day in self.plan.days:
            over_m = day.distance_m - (self.limits.distance_per_day_m or day.distance_m)
            said = [
                v.by_m
                for v in self.plan.violations
                if v.code == "DISTANCE_LIMIT" and v.day == day.day
            ]
            if over_m > 0 and said != [over_m] and not self._by_the_road(day.day):
                yield f"day {day.day} goes {over_m} m too far and says {said}"
            if over_m <= 0 and said and not self._by_the_road(day.day):
                yield f"day {day.day} does not go {said} m too far"

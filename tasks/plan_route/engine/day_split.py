"""An order split into days: exact label-setting dynamic programming over the given order.

A label is a state in which a stop may be left: violations and money so far, the time, the
driving and distance of the day so far. Labels are extended stop by stop, and a label is
dropped where another can do whatever it can at no more cost (Desrochers and Soumis 1988,
INFOR 26:191). The best split has the fewest violations, of these the fewest nights by the
road, then the smallest objective, the fewest days, the cheapest nights, the earliest end.
One thing is not tried: to wait some days for a clock change that makes a day longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tasks.plan_route.engine.day_bounds import least_ahead
from tasks.plan_route.engine.day_rules import DayRules, Drive, Spot, drives
from tasks.plan_route.engine.problem import Order, Problem

MAX_DAYS = 3660
"""Ten years; every day is a line of the plan."""

MAX_LABELS = 400
"""Per stop. Up to here the split is exact; a rail that no known trip comes near to."""

MAX_NIGHTS_AHEAD = 400

VIOLATION = 1 << 20
"""What a violation weighs; a night by the road, or where none is allowed, weighs one more."""


class Stay(NamedTuple):
    """A place as it was reached and left behind.

    Attributes:
        drive: how it was reached; None at the start.
        starts: when the service starts.
        late_s: by how much its last window was missed, -1 where there was none at all;
            None: in time.
        ready: the day from which on it may be left.
        ready_at: the second of that.
    """

    drive: Drive | None
    starts: int
    late_s: int | None
    ready: int
    ready_at: int


class Label(NamedTuple):
    """A state, and how it came about; violations by their weight."""

    violations: int
    money: int
    time: int
    used_s: int
    used_m: int
    day: int
    before: Label | None
    stay: Stay


@dataclass(frozen=True)
class Split:
    """The best days for an order.

    Attributes:
        stays: the start, the stops in their order, then the end if there is one.
        violations: how many the plan will name.
        money: price of all nights, in 1/10,000.
        ends: second at which the trip is over.
        days: nights plus one.
    """

    stays: tuple[Stay, ...]
    violations: int
    money: int
    ends: int
    days: int


class Splitter:
    """Splits orders of one problem."""

    def __init__(
        self, problem: Problem, rules: DayRules, check: Callable[[], None] = lambda: None
    ) -> None:
        """
        Args:
            check: called at each leg; what it raises ends the split (see `Run.check`).
        """
        self.problem, self.rules, self.check = problem, rules, check
        self._kept: dict[tuple[int, ...], Split | None] = {}

    def split(self, order: Sequence[int]) -> Split | None:
        """The best days for an order of stop nodes; None: they are more than `MAX_DAYS`."""
        key = tuple(order)
        if key not in self._kept:
            if len(self._kept) > 16:
                self._kept.clear()
            self._kept[key] = _Run(self.problem, self.rules, list(order), self.check).best()
        return self._kept[key]


class _Run:
    """One order: its nodes, its legs and the least violations that they must bring."""

    def __init__(
        self,
        problem: Problem,
        rules: DayRules,
        order: Order,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.problem, self.rules, self.check = problem, rules, check
        self.nodes = [0, *order, *([] if problem.end is None else [problem.end])]
        self.stops = len(order)
        self.spots = [rules.spots[node] for node in self.nodes]
        pairs = zip(self.nodes, self.nodes[1:], strict=False)
        self.legs = [rules.leg(a, b) for a, b in pairs]
        self.first_day = self.spots[0].clock.day_of(0)
        self.first_days = [self.first_day]  # the same day by the clock of each place
        for a, b in zip(self.spots, self.spots[1:], strict=False):
            self.first_days.append(b.clock.day_like(a.clock, self.first_days[-1]))
        self.ahead = least_ahead(
            rules, self.spots, self.legs, self.first_day, (VIOLATION, VIOLATION + 1)
        )
        self.paid = False
        self.room = self.ahead[0] + VIOLATION - 1
        self.last_day: int | None = None
        self.too_long = False

    def best(self) -> Split | None:
        """Allow ever more violations until the trip is possible; then look at the money.

        Few violations leave few labels, so the attempts in vain cost little.
        """
        more = 1
        found = self._attempt()
        while found is None:
            if self.too_long:
                return None
            self.room += more * VIOLATION
            more *= 2
            found = self._attempt()
        if self.rules.paid:
            self.paid, self.room = True, found.violations
            self.last_day = found.day - self.first_days[-1]
            found = self._attempt() or found
        return self._split(found)

    def _attempt(self) -> Label | None:
        day = self.first_day
        labels = [Label(0, 0, 0, 0, 0, day, None, Stay(None, 0, None, day, 0))]
        for i in range(len(self.legs)):
            self.check()
            reached: list[Label] = []
            for label in labels:
                self._extend(i, label, reached)
            labels = self._undominated(i + 1, reached)
            if not labels:
                return None
        return min(labels, key=self._worth)

    def _worth(self, label: Label) -> tuple[int, int, int, int, int]:
        elapsed = self.problem.elapsed * label.time
        return (label.violations, elapsed, label.day, label.money, label.time)

    def _extend(self, i: int, label: Label, reached: list[Label]) -> None:
        """Leave place i now, or after a night, and where it may help after more."""
        spot, leg = self.spots[i], self.legs[i]
        room = self.room - self.ahead[i + 1]
        for nights in range(self._nights_worth_a_look(i, label) + 1):
            violations = label.violations + (0 if spot.overnight else nights * (VIOLATION + 1))
            if violations > room:
                return
            day, used = label.day + nights, (0, 0) if nights else (label.used_s, label.used_m)
            leaves = label.time
            if leg.seconds or nights:
                leaves = max(leaves, spot.clock.morning(day))
            money = label.money + nights * spot.price * self.paid
            before = label._replace(violations=violations, money=money)
            there = self.spots[i + 1]
            faults = (room - violations) // VIOLATION
            for drive in drives(self.rules, spot, there, leg, leaves, day, used, faults):
                new = self._arrive(i + 1, before, drive)
                if self._wanted(i + 1, new):
                    reached.append(new)

    def _nights_worth_a_look(self, i: int, label: Label) -> int:
        """One; more only to wait here for a stop where waiting is not allowed or costs more."""
        here, most = self.spots[i], 1
        if not here.overnight:
            return most
        for k in range(i + 1, self.stops + 1):
            node, there = self.nodes[k], self.spots[k]
            if there.overnight and not (self.paid and there.price > here.price):
                break
            windows, weekly = self.problem.windows[node], self.problem.weekly[node]
            opens = windows[-1][0] if windows else label.time
            if weekly is not None:
                opens = (weekly.next(opens) or opens) + 7 * 86_400
            most = max(most, (opens - label.time) // 86_400 + 1)
        return min(most, MAX_NIGHTS_AHEAD)

    def _arrive(self, k: int, before: Label, drive: Drive) -> Label:
        """The label at place k once its visit and its nights are over."""
        by_the_road = len(drive.parts) - 1
        violations = before.violations + len(drive.faults) * VIOLATION + by_the_road
        if k > self.stops:
            stay = Stay(drive, drive.arrives, None, drive.there, drive.arrives)
            return Label(violations, before.money, drive.arrives, 0, 0, drive.there, before, stay)
        spot, node = self.spots[k], self.nodes[k]
        start, late_s = self.problem.begin(node, drive.arrives), None
        if start is None:
            last = self.problem.last_start(node)
            start, late_s = drive.arrives, -1 if last is None else drive.arrives - last
            violations += VIOLATION
        served = start + spot.service_s
        day = max(drive.there, spot.clock.day_of(served))
        ready = max(day, drive.there + spot.nights)
        nights, time = ready - drive.there, served
        if ready > day:
            time = spot.clock.morning(ready)
        used = (0, 0) if nights else (drive.used_s, drive.used_m)
        violations += 0 if spot.overnight else nights * (VIOLATION + 1)
        money = before.money + nights * spot.price * self.paid
        stay = Stay(drive, start, late_s, ready, time)
        return Label(violations, money, time, *used, ready, before, stay)

    def _wanted(self, k: int, label: Label) -> bool:
        """Whether a label at place k may still lead to what this attempt looks for."""
        if label.violations + self.ahead[k] > self.room:
            return False
        day = label.day - self.first_days[k]
        if day >= MAX_DAYS:
            self.too_long = True
            return False
        return self.last_day is None or day <= self.last_day

    def _undominated(self, k: int, labels: list[Label]) -> list[Label]:
        """The labels at place k that no other makes useless."""
        if k > self.stops:
            return labels
        spot = self.spots[k]
        kept: list[Label] = []
        for label in sorted(labels, key=lambda x: (x.day, x.violations, x.money, x.time)):
            if not any(_covers(other, label, spot, self.paid) for other in kept):
                kept.append(label)
        if len(kept) > MAX_LABELS:
            kept = sorted(kept, key=self._worth)[:MAX_LABELS]
        return kept

    def _split(self, label: Label) -> Split:
        stays, at = [label.stay], label.before
        while at is not None:
            stays.append(at.stay)
            at = at.before
        stays.reverse()
        days, reached = 1, self.first_day
        for stay in stays:
            if stay.drive is not None:
                days += stay.drive.day - reached + len(stay.drive.parts) - 1
                reached = stay.drive.there
        days += stays[-1].ready - reached
        violations = label.violations // VIOLATION
        return Split(tuple(stays), violations, label.money, label.time, days)


def _covers(a: Label, b: Label, spot: Spot, paid: bool) -> bool:
    """Whether label `a`, of no later day, can do all that `b` can for no more.

    On the same day: if it is earlier and has more of the day left. On an earlier day: if
    it can sleep here until the day of `b`.
    """
    nights = b.day - a.day
    violations = a.violations + (0 if spot.overnight else nights * (VIOLATION + 1))
    if violations > b.violations:
        return False
    if paid and violations == b.violations and a.money + nights * spot.price > b.money:
        return False
    if nights:
        return spot.clock.morning(b.day) <= b.time
    return a.time <= b.time and a.used_s <= b.used_s and a.used_m <= b.used_m

"""When a queued job starts: a lane played forward many times from what is known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.jobs.forecast import HANDOVER_S, HORIZON, KNOTS, NOTHING_KNOWN, Lane, Starts

Floats = npt.NDArray[np.float64]

#: Times that a lane is played forward; each is one possible future.
FUTURES = 200
#: By how much a whole future may be slower or faster than the history, as the standard deviation
#: of a logarithm: without it the sum of many jobs would seem to be known for certain.
DRIFT = 0.15
#: Newcomers take at most this share of the slots from those they pass.
PASSING_CAP = 0.75


@dataclass
class _Draws:
    """Service times as they were observed, drawn at random; one seed, so equal lanes agree."""

    seconds: Mapping[str, Sequence[float]]
    dice: np.random.Generator = field(default_factory=lambda: np.random.default_rng(20261121))

    def __post_init__(self) -> None:
        pooled = [value for values in self.seconds.values() for value in values]
        # a kind without history is taken for the others; without any, its end is not in sight
        self._pooled = np.array(pooled or [math.inf])
        self._known = {kind: np.array(v) for kind, v in self.seconds.items() if len(v)}

    def of(self, kind: str) -> Floats:
        return self._known.get(kind, self._pooled)

    def services(self, kinds: Sequence[str]) -> Floats:
        """One row per job, one column per future."""
        drawn = np.empty((len(kinds), FUTURES))
        names = np.array(kinds, dtype=object)
        for kind in set(kinds):
            rows = np.flatnonzero(names == kind)
            drawn[rows] = self.dice.choice(self.of(kind), (len(rows), FUTURES))
        return drawn

    def rest(self, kind: str, ran_s: float) -> Floats:
        """What a run has before it, of those that took longer; past all known, by its age."""
        longer = self.of(kind)
        longer = longer[(longer > ran_s) & np.isfinite(longer)]
        if len(longer):
            return np.asarray(self.dice.choice(longer, FUTURES) - ran_s)
        return ran_s * self.dice.random(FUTURES)

    def pace(self, kinds: Sequence[str]) -> Floats:
        """How much slower than its history each future is; wider where little is known."""
        samples = np.concatenate([self.of(kind) for kind in sorted(set(kinds))] or [self._pooled])
        mean = samples.mean()
        spread = max(0.5, samples.std() / mean) if 0 < mean < math.inf else 1.0
        return np.exp(self.dice.normal(0, math.hypot(DRIFT, spread / len(samples) ** 0.5), FUTURES))


def forecast(
    lane: Lane, seconds: Mapping[str, Sequence[float]], handover_s: float = HANDOVER_S
) -> Starts:
    """Play the lane forward, and read off when each position starts.

    Args:
        seconds: observed service times by kind.
        handover_s: from one job's end to the start of the next in its slot.

    Returns:
        `NOTHING_KNOWN` where no slot is alive.
    """
    if lane.slots <= 0:
        return NOTHING_KNOWN
    draws = _Draws(seconds)
    ahead = list(lane.ahead[:HORIZON])
    # a few places that nobody has taken, of the kinds that come
    mix = [some.kind for some in lane.newcomers for _ in range(some.count)]
    mix = mix or ahead or sorted(seconds) or [""]
    places = ahead + [str(kind) for kind in draws.dice.choice(mix, max(16, lane.slots + 1))]
    pace = draws.pace(places)
    with np.errstate(invalid="ignore"):
        begun, each = _play(lane, draws, places, pace, handover_s)
        slower = _slower(lane, draws, len(places), handover_s)
        begun, step = begun * slower, each / lane.slots * slower[-1]
        return _read(np.array([_at(begun, step, knot) for knot in KNOTS]), lane.free)


def _play(
    lane: Lane, draws: _Draws, places: list[str], pace: Floats, handover_s: float
) -> tuple[Floats, Floats]:
    """Starts by place and future, and the mean time that a job of the places holds a slot."""
    ends = np.zeros((FUTURES, lane.slots))
    for slot, (kind, ran_s) in enumerate(list(lane.running)[: lane.slots]):
        ends[:, slot] = draws.rest(kind, ran_s) * pace
    held = draws.services(places) * pace + handover_s
    begun, rows = np.empty_like(held), np.arange(FUTURES)
    for place in range(len(places)):
        first = ends.argmin(axis=1)
        begun[place] = ends[rows, first]
        ends[rows, first] += held[place]
    return begun + handover_s, held.mean(axis=0)


def _slower(lane: Lane, draws: _Draws, places: int, handover_s: float) -> Floats:
    """By how much newcomers delay each place: they take slots from all of a later turn."""
    load = np.zeros((places, FUTURES))
    turns = np.array(lane.turns[:HORIZON], dtype=int)
    # whoever stands far behind all that was seen is of a flood, and each of it has a later turn
    after = int(turns.max(initial=0)) + 1 + np.arange(places - len(turns))
    turns = np.concatenate([turns, after])
    for some in lane.newcomers:
        # how often they come is itself only seen from a few arrivals
        rate = draws.dice.gamma(some.count + 0.5, 1 / lane.over_s, FUTURES)
        each = draws.of(some.kind).mean() + handover_s
        load[turns > some.turn] += rate * each / lane.slots
    return np.asarray(1 / (1 - np.minimum(load, PASSING_CAP)))


def _at(begun: Floats, step: Floats, position: int) -> Floats:
    """The start of a position in each future; past the last place, so many steps later."""
    if position <= len(begun):
        return np.asarray(begun[position - 1])
    return np.asarray(begun[-1] + (position - len(begun)) * step)


def _read(futures: Floats, free: int) -> Starts:
    futures = np.nan_to_num(np.sort(futures, axis=1), nan=math.inf, posinf=math.inf)
    p50, p90 = futures[:, FUTURES // 2], futures[:, FUTURES * 9 // 10]
    known = np.isfinite(p90)  # half a forecast is none
    return Starts(
        tuple(round(value) if sure else -1 for value, sure in zip(p50, known, strict=True)),
        tuple(math.ceil(value) if sure else -1 for value, sure in zip(p90, known, strict=True)),
        free,
    )

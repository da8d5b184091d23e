"""What is known of a lane, and what follows from it for those who wait there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

#: Jobs of the queue that are played one by one; beyond them the sum of many is what counts.
HORIZON = 200
#: Positions for which a forecast is kept: each of the first, then steps of 15 %, to a thousand.
KNOTS: tuple[int, ...] = (*range(1, 17), *(round(16 * 1.15**n) for n in range(1, 30)))
#: From one job's end to the start of the next in its slot (admission, broker, claim), where that
#: has not been seen. Seconds.
HANDOVER_S = 0.02


@dataclass(frozen=True)
class Newcomers:
    """Jobs of one kind that arrived lately.

    Attributes:
        turn: that the next job of such a user would have; it passes all of a later turn.
        count: how many came.
    """

    turn: int
    kind: str
    count: int


@dataclass(frozen=True)
class Lane:
    """A lane at one moment.

    Attributes:
        running: kind of each job that runs, and seconds since its start.
        ahead: kinds of the queued jobs by position; those past `HORIZON` may be left out.
        turns: of each of them (see `admission`), 0 for one that is with the broker.
        newcomers: who came within the last `over_s` seconds.
    """

    slots: int
    running: Sequence[tuple[str, float]] = ()
    ahead: Sequence[str] = ()
    turns: Sequence[int] = ()
    newcomers: Sequence[Newcomers] = ()
    over_s: float = 60.0

    @property
    def free(self) -> int:
        return max(0, self.slots - len(self.running))


@dataclass(frozen=True)
class Starts:
    """Seconds until a job starts, by its position.

    Attributes:
        p50, p90: at each of `KNOTS`, whole seconds; -1 where nothing is known.
        free: slots that stood empty.
    """

    p50: Sequence[int] = ()
    p90: Sequence[int] = ()
    free: int = 0

    @cached_property
    def texts(self) -> tuple[str, str]:
        """Both as array literals of Postgres."""
        return _array(self.p50), _array(self.p90)

    def at(self, position: int) -> tuple[int, int] | None:
        """Median and 90 % quantile for a position, or None where nothing is known."""
        place = bisect_right(KNOTS, position) - 1
        if not 0 <= place < len(self.p50) or self.p50[place] < 0:
            return None
        return self.p50[place], self.p90[place]


def _array(values: Sequence[int]) -> str:
    return "{" + ",".join("NULL" if value < 0 else str(value) for value in values) + "}"


NOTHING_KNOWN = Starts()
#: `KNOTS` as an array literal of Postgres.
KNOTS_TEXT = _array(KNOTS)

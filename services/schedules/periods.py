"""When a schedule is due: the periods of a cron expression in a zone, and which of them to make."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from models.schedule import CatchUp

#: Periods that `CatchUp.ALL` makes up for at most: the newest.
CATCH_UP_MAX = 24
#: How late a period may be made under `CatchUp.NONE`: a deploy must not cost it.
GRACE = timedelta(minutes=5)
#: Length of a cron expression: every minute of an hour by name fits.
CRON_MAX = 200
#: How far back to look for the newest periods, before all the way: dense expressions have them
#: close by, and sparse ones have few.
_LOOKBACKS = (timedelta(hours=1), timedelta(days=1), timedelta(days=31))


def check_cron(expression: str) -> None:
    """Refuse an expression that names no time.

    Raises:
        ValueError: says what is wrong.
    """
    if len(expression.split()) != 5:
        raise ValueError("must have five fields: minute, hour, day, month, weekday")
    try:
        next(CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(str(error)) from None
    except StopIteration:
        raise ValueError("names no time within fifty years") from None


@dataclass(frozen=True)
class Timing:
    """The periods of a schedule: moments in UTC, each once.

    A wall-clock time that the zone skips counts as the first one after the gap, and several of
    one gap as one; a time that comes twice counts the first time. Expressions whose minute or
    hour begins with `*` follow elapsed time instead, as Debian's cron does: every hour has its
    turn, also one that comes twice.
    """

    cron: str
    zone: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """The first period after a moment; None where none comes within fifty years."""
        return next(self._from(moment), None)

    def newest(self, since: datetime, until: datetime, most: int) -> list[datetime]:
        """The newest periods from `since` to `until`, both included, in order."""
        for lookback in _LOOKBACKS:
            start = until - lookback
            if start <= since:
                break
            found = self._between(start, until, most)
            if len(found) == most:
                return found
        return self._between(since, until, most)

    def _between(self, since: datetime, until: datetime, most: int) -> list[datetime]:
        found: deque[datetime] = deque(maxlen=most)
        for period in self._from(since - timedelta(microseconds=1)):
            if period > until:
                break
            found.append(period)
        return list(found)

    def _from(self, moment: datetime) -> Iterator[datetime]:
        """All periods after a moment, in order."""
        if self.starts_at is not None:
            moment = max(moment, self.starts_at - timedelta(microseconds=1))
        last = moment
        for local in CronSim(self.cron, moment.astimezone(ZoneInfo(self.zone))):
            period = local.astimezone(UTC)
            if self.ends_at is not None and period >= self.ends_at:
                return
            # within an hour that comes twice, wall-clock times of its first turn have passed
            if period > last:
                last = period
                yield period


@dataclass(frozen=True)
class Decision:
    """What to do about the periods that are due.

    Attributes:
        skipped: the first and the last period that are given up.
        make: the period to make a job of.
        then: the next period that is not settled after that.
    """

    skipped: tuple[datetime, datetime] | None
    make: datetime | None
    then: datetime | None


def decide(timing: Timing, catch_up: CatchUp, pending: datetime, now: datetime) -> Decision:
    """Which period to make now, and which to give up.

    Args:
        pending: the first period that is not settled; it has come.
    """
    most = CATCH_UP_MAX if catch_up is CatchUp.ALL else 1
    found = timing.newest(pending, now, most + 1)
    if not found:  # the rules of the zone have changed: it comes later than it was to come
        return Decision(None, None, timing.after(now))
    given_up = found[0] if len(found) > most else None
    due = found[-most:]
    if catch_up is CatchUp.NONE and now - due[-1] > GRACE:
        return Decision((pending, due[-1]), None, timing.after(due[-1]))
    skipped = None if given_up is None else (pending, given_up)
    return Decision(skipped, due[0], timing.after(due[0]))

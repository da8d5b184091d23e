"""The periods of cron expressions: zones that leap and repeat, leap days, and what to make up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.schedule import CatchUp
from services.schedules.periods import CATCH_UP_MAX, Timing, check_cron, decide

SYDNEY = "Australia/Sydney"
#: On 4 October 2026 Sydney's clocks leap from 02:00 to 03:00; on 5 April they go back from 03:00.
LEAP, BACK = "2026-10-04", "2026-04-05"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str = SYDNEY) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def walls(timing: Timing, since: datetime, count: int) -> list[str]:
    """The next periods as the clock on the wall shows them, with its offset."""
    found, at = [], since
    for _ in range(count):
        after = timing.after(at)
        assert after is not None
        at = after
        found.append(at.astimezone(ZoneInfo(timing.zone)).isoformat(timespec="minutes"))
    return found


class TestATimeThatIsSkipped:
    def test_runs_once_after_the_gap(self) -> None:
        timing = Timing("30 2 * * *", SYDNEY)
        assert walls(timing, local(f"{LEAP} 00:00"), 2) == [
            "2026-10-04T03:00+11:00",
            "2026-10-05T02:30+11:00",
        ]

    def test_runs_once_with_the_other_times_of_the_gap_and_its_end(self) -> None:
        timing = Timing("0,30 2,3 * * *", SYDNEY)
        assert walls(timing, local(f"{LEAP} 00:00"), 3) == [
            "2026-10-04T03:00+11:00",
            "2026-10-04T03:30+11:00",
            "2026-10-05T02:00+11:00",
        ]

    def test_runs_once_where_midnight_is_skipped(self) -> None:
        # Santiago leaps at midnight
        timing = Timing("0 0 * * *", "America/Santiago")
        since = local("2026-09-05 12:00", "America/Santiago")
        assert walls(timing, since, 2) == ["2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"]


class TestATimeThatComesTwice:
    def test_runs_the_first_time(self) -> None:
        timing = Timing("30 2 * * *", SYDNEY)
        assert walls(timing, local(f"{BACK} 00:00"), 2) == [
            "2026-04-05T02:30+11:00",
            "2026-04-06T02:30+10:00",
        ]

    def test_has_passed_for_who_asks_during_the_second(self) -> None:
        timing = Timing("30 2 * * *", SYDNEY)
        second = local(f"{BACK} 02:10").replace(fold=1)
        assert walls(timing, second, 1) == ["2026-04-06T02:30+10:00"]

    def test_is_found_by_who_looks_back_during_the_second(self) -> None:
        timing = Timing("30 2 * * *", SYDNEY)
        second = local(f"{BACK} 02:10").replace(fold=1)
        assert timing.newest(utc("2026-03-01"), second, 1) == [utc("2026-04-04 15:30")]

    def test_runs_both_times_where_every_hour_has_its_turn(self) -> None:
        timing = Timing("30 * * * *", SYDNEY)
        assert walls(timing, local(f"{BACK} 01:45"), 3) == [
            "2026-04-05T02:30+11:00",
            "2026-04-05T02:30+10:00",
            "2026-04-05T03:30+10:00",
        ]


class TestDays:
    def test_the_29th_of_february_comes_every_fourth_year(self) -> None:
        timing = Timing("0 9 29 2 *", "UTC")
        assert walls(timing, utc("2026-01-01"), 2) == [
            "2028-02-29T09:00+00:00",
            "2032-02-29T09:00+00:00",
        ]

    def test_the_last_day_of_a_month_does_too(self) -> None:
        timing = Timing("0 9 L * *", "UTC")
        assert walls(timing, utc("2028-01-31 10:00"), 2) == [
            "2028-02-29T09:00+00:00",
            "2028-03-31T09:00+00:00",
        ]


class TestBounds:
    def test_the_start_is_included_and_the_end_is_not(self) -> None:
        timing = Timing("0 9 * * *", "UTC", utc("2026-05-01 09:00"), utc("2026-05-03 09:00"))
        assert timing.newest(utc("2026-01-01"), utc("2027-01-01"), 5) == [
            utc("2026-05-01 09:00"),
            utc("2026-05-02 09:00"),
        ]
        assert timing.after(utc("2026-01-01")) == utc("2026-05-01 09:00")
        assert timing.after(utc("2026-05-02 09:00")) is None

    def test_a_period_does_not_come_after_itself(self) -> None:
        timing = Timing("* * * * *", "UTC")
        assert timing.after(utc("2026-05-01 09:00")) == utc("2026-05-01 09:01")
        assert timing.after(utc("2026-05-01 09:00:59.999999")) == utc("2026-05-01 09:01")


class TestAnExpression:
    @pytest.mark.parametrize("cron", ["0 7 * * MON-FRI", "*/15 8-18 * * *", "0 0 1,15 * *"])
    def test_is_taken(self, cron: str) -> None:
        check_cron(cron)

    @pytest.mark.parametrize(
        "cron", ["", "* * * *", "0 * * * * *", "60 * * * *", "@daily", "0 0 31 2 *", "1-0 * * * *"]
    )
    def test_is_refused(self, cron: str) -> None:
        with pytest.raises(ValueError):
            check_cron(cron)


DAILY = Timing("0 9 * * *", "UTC")
PENDING = utc("2026-05-01 09:00")


class TestWhatIsDue:
    @pytest.mark.parametrize("catch_up", CatchUp)
    def test_is_made_where_it_comes_in_time(self, catch_up: CatchUp) -> None:
        found = decide(DAILY, catch_up, PENDING, PENDING + timedelta(seconds=1))
        assert (found.skipped, found.make) == (None, PENDING)
        assert found.then == utc("2026-05-02 09:00")

    def test_is_made_up_for_by_the_newest(self) -> None:
        found = decide(DAILY, CatchUp.ONE, PENDING, utc("2026-05-04 12:00"))
        assert found.skipped == (PENDING, utc("2026-05-03 09:00"))
        assert found.make == utc("2026-05-04 09:00")
        assert found.then == utc("2026-05-05 09:00")

    def test_is_given_up_where_none_is_made_up_for(self) -> None:
        found = decide(DAILY, CatchUp.NONE, PENDING, utc("2026-05-04 12:00"))
        assert found.skipped == (PENDING, utc("2026-05-04 09:00"))
        assert (found.make, found.then) == (None, utc("2026-05-05 09:00"))

    def test_is_made_a_little_late_even_then(self) -> None:
        found = decide(DAILY, CatchUp.NONE, PENDING, utc("2026-05-03 09:04"))
        assert found.skipped == (PENDING, utc("2026-05-02 09:00"))
        assert found.make == utc("2026-05-03 09:00")

    def test_is_made_one_by_one_where_all_are(self) -> None:
        found = decide(DAILY, CatchUp.ALL, PENDING, utc("2026-05-03 12:00"))
        assert (found.skipped, found.make, found.then) == (None, PENDING, utc("2026-05-02 09:00"))

    def test_is_bounded_even_then(self) -> None:
        hourly = Timing("0 * * * *", "UTC")
        found = decide(hourly, CatchUp.ALL, PENDING, PENDING + timedelta(hours=CATCH_UP_MAX))
        assert found.skipped == (PENDING, PENDING)
        assert found.make == PENDING + timedelta(hours=1)

    def test_is_found_quickly_after_a_year_of_silence(self) -> None:
        timing = Timing("* * * * *", SYDNEY)
        found = decide(timing, CatchUp.ALL, PENDING, PENDING + timedelta(days=365))
        assert found.make == PENDING + timedelta(days=365, minutes=1 - CATCH_UP_MAX)
        assert found.skipped == (PENDING, PENDING + timedelta(days=365, minutes=-CATCH_UP_MAX))

    def test_may_come_later_than_it_was_to_come(self) -> None:
        """The rules of its zone have changed since the time was written."""
        found = decide(DAILY, CatchUp.ONE, utc("2026-05-01 08:00"), utc("2026-05-01 08:01"))
        assert (found.skipped, found.make, found.then) == (None, None, PENDING)


CRONS = st.tuples(
    st.sampled_from(["0", "30", "*/20", "15,45"]),
    st.sampled_from(["2", "*", "0-3", "1,2,3", "*/6"]),
    st.sampled_from(["*", "1,15", "L"]),
    st.just("*"),
    st.sampled_from(["*", "SUN", "SAT,SUN"]),
).map(" ".join)
ZONES = st.sampled_from([SYDNEY, "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "UTC"])
MOMENTS = st.integers(0, 366 * 24 * 60).map(lambda n: utc("2026-01-01") + timedelta(minutes=n))


class TestAnyExpression:
    @settings(max_examples=60, deadline=None)
    @given(cron=CRONS, zone=ZONES, since=MOMENTS)
    def test_has_periods_in_order_whoever_asks_from_where(
        self, cron: str, zone: str, since: datetime
    ) -> None:
        timing = Timing(cron, zone)
        walked = []
        at = since
        for _ in range(12):
            after = timing.after(at)
            assert after is not None
            assert after > at
            walked.append(at := after)
        assert timing.newest(since, at, 12) == walked
        for first, second in pairwise(walked):
            assert timing.after(first + (second - first) / 2) == second

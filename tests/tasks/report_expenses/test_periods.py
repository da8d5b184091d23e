"""Which days a report is of: edges of years, of months, of summer time, and of the date line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from tasks.report_expenses.contract import REPORT_EXPENSES, Period, Relative, ReportRequest
from tasks.report_expenses.contract.periods import MOST_DAYS
from tasks.report_expenses.engine.formats import file_name
from tests.lab import Lab
from tests.tasks.report_expenses.books import Books


def spoken(unit: str, today: str, **more: str) -> tuple[str, str]:
    period = Relative.model_validate({"relative": unit, **more}).on(date.fromisoformat(today))
    return f"{period.from_}", f"{period.to}"


class TestARelativePeriod:
    @pytest.mark.parametrize(
        ("unit", "today", "first", "end"),
        [
            ("previous_month", "2026-01-01", "2025-12-01", "2026-01-01"),
            ("previous_month", "2024-03-31", "2024-02-01", "2024-03-01"),
            ("previous_week", "2026-01-05", "2025-12-29", "2026-01-05"),
            ("previous_week", "2026-01-04", "2025-12-22", "2025-12-29"),
            ("previous_quarter", "2026-01-01", "2025-10-01", "2026-01-01"),
            ("previous_quarter", "2026-12-31", "2026-07-01", "2026-10-01"),
            ("previous_year", "2026-01-01", "2025-01-01", "2026-01-01"),
            ("previous_year", "2025-12-31", "2024-01-01", "2025-01-01"),
        ],
    )
    def test_is_the_last_that_is_over(self, unit: str, today: str, first: str, end: str) -> None:
        assert spoken(unit, today) == (first, end)

    @pytest.mark.parametrize(
        ("starts", "today", "first", "end"),
        [
            ("07-01", "2026-07-01", "2025-07-01", "2026-07-01"),  # Australia
            ("07-01", "2026-06-30", "2024-07-01", "2025-07-01"),
            ("04-06", "2026-04-06", "2025-04-06", "2026-04-06"),  # United Kingdom
            ("04-06", "2026-04-05", "2024-04-06", "2025-04-06"),
        ],
    )
    def test_knows_tax_years(self, starts: str, today: str, first: str, end: str) -> None:
        assert spoken("previous_year", today, year_starts=starts) == (first, end)

    def test_has_quarters_that_meet_at_the_end_of_short_months(self) -> None:
        found = [
            spoken("previous_quarter", today, year_starts="11-30")
            for today in ("2024-03-01", "2024-05-30", "2024-08-30", "2024-11-30")
        ]
        assert found[0] == ("2023-11-30", "2024-02-29")
        assert [end for _, end in found[:-1]] == [first for first, _ in found[1:]]

    def test_is_seen_from_the_zone(self) -> None:
        content = {"period": {"relative": "previous_month"}}
        at = datetime(2026, 3, 31, 14, 0, tzinfo=UTC)
        assert REPORT_EXPENSES.dated is not None
        for zone, first in (("Australia/Sydney", "2026-03-01"), ("Pacific/Niue", "2026-02-01")):
            assert REPORT_EXPENSES.dated(content, at, zone)["period"]["from"] == first
        own = {**content, "zone": "Pacific/Kiritimati"}
        assert REPORT_EXPENSES.dated(own, at, "UTC")["period"]["from"] == "2026-03-01"

    @pytest.mark.parametrize("starts", ["02-29", "13-01", "1-1", "00-10", "04-31"])
    def test_begins_on_a_day_of_every_year(self, starts: str) -> None:
        with pytest.raises(ValidationError, match="year_starts"):
            spoken("previous_year", "2026-01-01", year_starts=starts)


class TestAPeriod:
    def test_has_days_and_not_too_many(self) -> None:
        first = date(2020, 1, 1)
        Period(from_=first, to=first + timedelta(days=MOST_DAYS))
        for days in (0, -1, MOST_DAYS + 1):
            with pytest.raises(ValidationError, match="Must be after"):
                Period(from_=first, to=first + timedelta(days=days))

    @pytest.mark.parametrize(
        ("first", "end", "days"),
        [
            ("2024-02-29", "2024-03-01", 1),
            ("2026-10-04", "2026-10-05", 1),  # 23 hours in Sydney
            ("2011-12-30", "2011-12-31", 1),  # a day that Samoa did not have
            ("2023-07-01", "2024-07-01", 366),
        ],
    )
    def test_counts_dates_of_the_place(self, lab: Lab, first: str, end: str, days: int) -> None:
        books = Books(lab)
        day = date.fromisoformat(first)
        books.spend("1", spent_on=day - timedelta(days=1))
        # on the other side of the date line it is another day; the date of the place counts
        books.spend("10", spent_on=day, zone="Pacific/Kiritimati")
        books.spend("100", spent_on=date.fromisoformat(end) - timedelta(days=1))
        books.spend("1000", spent_on=date.fromisoformat(end))
        made = books.report(
            period={"from": first, "to": end}, zone="Pacific/Apia", formats=["json"]
        )
        assert made.result.totals.spent.amount == "110.00"
        assert (date.fromisoformat(end) - day).days == days
        assert made.json["days"][0]["day"] == first

    @pytest.mark.parametrize(
        ("first", "end", "name"),
        [
            ("2026-01-01", "2026-02-01", "expenses-2026-01.csv"),
            ("2026-12-01", "2027-01-01", "expenses-2026-12.csv"),
            ("2025-01-01", "2026-01-01", "expenses-2025.csv"),
            ("2025-07-01", "2026-07-01", "expenses-2025-07-01-to-2026-07-01.csv"),
            ("2026-01-15", "2026-02-15", "expenses-2026-01-15-to-2026-02-15.csv"),
        ],
    )
    def test_names_the_files(self, first: str, end: str, name: str) -> None:
        request = ReportRequest.model_validate({"period": {"from": first, "to": end}})
        assert isinstance(request.period, Period)
        assert file_name(request, request.period, "csv") == name

"""What a report says, whatever the format."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from services.books import summary
from tests.lab import Lab
from tests.tasks.report_expenses.books import JANUARY, Books


class TestAReport:
    def test_of_nothing_is_nothing(self, lab: Lab) -> None:
        made = Books(lab).report()
        assert made.result.totals.spent.amount == "0.00"
        assert made.csv == made.lines() == made.json["expenses"] == []

    def test_agrees_with_the_summary(self, lab: Lab) -> None:
        books = Books(lab)
        books.spend("100.10", description="Diesel", vendor="BP")
        books.spend("20", currency="USD", exchange={"currency": "AUD", "rate": "1.5"})
        books.spend("700", currency="JPY", category="food")
        books.spend("-10.00", category="food")
        books.spend("310", spent_on=date(2025, 12, 20), days=31, category="insurance")
        books.earn("500", currency="AUD")
        made = books.report()
        wanted = summary.Wanted(date(2026, 1, 1), date(2026, 2, 1))
        found = lab.as_owner(books.owner, summary.summarise(books.owner, wanted))
        totals = made.result.totals
        assert Decimal(totals.spent.amount) == summary.total(found.expenses)
        assert Decimal(totals.income.amount) == summary.total(found.incomes)
        assert Decimal(totals.before.amount) == summary.total(found.before)
        assert Decimal(totals.per_day.amount) == found.per(31)
        assert totals.expenses == sum(each.count for each in found.expenses) == 5
        assert [each.model_dump() for each in made.result.unconverted] == [
            {"side": "expense", "amount": "700", "currency": "JPY", "count": 1}
        ]

    def test_says_what_share_of_what_amount_a_line_is(self, lab: Lab) -> None:
        books = Books(lab)
        books.spend("100", spent_on=date(2025, 12, 30), days=3)
        (line,) = books.report().csv
        assert (line["date"], line["amount"], line["base_amount"]) == (
            "2026-01-01",
            "33.33",
            "33.33",
        )
        assert (line["entry_amount"], line["counted_days"], line["days"]) == ("100.00", "1", "3")

    def test_has_a_line_for_each_month_of_what_is_spread(self, lab: Lab) -> None:
        books = Books(lab)
        books.spend("100", spent_on=date(2026, 1, 30), days=32)
        made = books.report(period={"from": "2026-01-01", "to": "2026-04-01"})
        assert [each["date"] for each in made.csv] == ["2026-01-30", "2026-02-01", "2026-03-01"]
        by_month = [each["spent"] for each in made.json["months"]]
        assert [each["base_amount"] for each in made.csv] == by_month
        assert sum(map(Decimal, by_month)) == Decimal(made.result.totals.spent.amount) == 100
        assert made.result.totals.expenses == 1

    def test_filters(self, lab: Lab) -> None:
        books = Books(lab)
        books.spend("1", category="fuel", tags=["a", "b"], payment_method="card")
        books.spend("10", category="food", tags=["b"], payment_method="cash")
        books.spend("100", category="tolls", tags=["c"], payment_method="card")
        books.earn("5", tags=["b"])
        for filters, spent, income in (
            ({"categories": ["fuel", "food"]}, "11.00", "5.00"),
            ({"tags": ["b", "c"]}, "111.00", "5.00"),
            ({"tags": ["c"]}, "100.00", "0.00"),
            ({"payment_methods": ["card"]}, "101.00", "5.00"),
            ({"payment_methods": ["card"], "tags": ["a"]}, "1.00", "0.00"),
        ):
            totals = books.report(filters=filters, formats=["json"]).result.totals
            assert (totals.spent.amount, totals.income.amount) == (spent, income), filters

    def test_in_another_currency_counts_what_is_in_it(self, lab: Lab) -> None:
        books = Books(lab)
        books.spend("10", currency="USD", exchange={"currency": "AUD", "rate": "1.5"})
        books.spend("3")
        made = books.report(currency="USD")
        assert made.result.totals.spent.amount == "10.00"
        assert made.result.unconverted[0].currency == "AUD"

    def test_is_made_of_unchanged_books_once(self, lab: Lab) -> None:
        books = Books(lab)
        books.spend("1")
        first = books.report().result
        again = books.report().result
        assert again.fingerprint == first.fingerprint
        books.spend("1", spent_on=date(2020, 1, 1))
        assert books.report().result.fingerprint != first.fingerprint
        assert books.report(period={**JANUARY, "to": "2026-01-31"}).result.fingerprint != (
            first.fingerprint
        )

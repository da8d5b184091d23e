"""Random books: every format and plain SQL give the same sums, to the last minor unit."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.money import exponent_of, round_money
from services.books.expenses import LEDGER as EXPENSES
from services.books.incomes import LEDGER as INCOMES
from tests.lab import Lab
from tests.tasks.report_expenses.books import EXPENSE, INCOME, Books, Made

#: With 2, 0 and 3 decimals; of the last nobody gives a rate.
CURRENCIES = ("AUD", "JPY", "KWD", "XPF")
FIRST, END = date(2024, 2, 10), date(2024, 4, 2)

DAYS = st.integers(-70, 70).map(lambda days: FIRST + timedelta(days=days))


@st.composite
def entries(draw: st.DrawFn) -> tuple[bool, dict[str, Any]]:
    """An expense (or income), maybe a refund, maybe spread over days, maybe without a rate."""
    spent, currency, day = draw(st.booleans()), draw(st.sampled_from(CURRENCIES)), draw(DAYS)
    units = draw(st.integers(-(10**7), 10**7))
    rate = draw(st.decimals("0.0001", "900", places=6))
    given_ = currency in ("JPY", "KWD")
    common = {
        "amount": f"{Decimal(units).scaleb(-exponent_of(currency)):f}",
        "currency": currency,
        "exchange": {"currency": "AUD", "rate": f"{rate:f}"} if given_ else None,
    }
    if not spent:
        return False, INCOME | common | {"received_on": day}
    category = draw(st.sampled_from(["fuel", "food", "other"]))
    days = draw(st.sampled_from([1, 1, 1, 2, 7, 45]))
    zone = draw(st.sampled_from(["Pacific/Kiritimati", "Pacific/Niue", None]))
    own = {"spent_on": day, "days": days, "category": category, "zone": zone}
    return True, EXPENSE | common | own


_PLAIN = """
SELECT category, currency, amount, base_amount, spent_on, days FROM expenses
WHERE owner_id = %s AND deleted_at IS NULL
"""


def _share(amount: Decimal, currency: str, day: date, days: int) -> Decimal:
    """What of an amount falls into the period, by dealing out its minor units one by one."""
    units = int(abs(amount).scaleb(exponent_of(currency)))
    counted = sum(
        units // days + (number < units % days)
        for number in range(days)
        if FIRST <= day + timedelta(days=number) < END
    )
    return Decimal(counted).scaleb(-exponent_of(currency)).copy_sign(amount)


def expected(books: Books) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What was spent by category (converted) and by currency (all of it), from the plain rows."""
    by_category: dict[str, Decimal] = defaultdict(Decimal)
    by_currency: dict[str, Decimal] = defaultdict(Decimal)
    with books.lab.stores.sql() as sql:
        for category, currency, amount, base, day, days in sql.execute(_PLAIN, (books.owner,)):
            if day + timedelta(days=days) <= FIRST or day >= END:
                continue
            by_currency[currency] += _share(amount, currency, day, days)
            by_category[category] += _share(base or Decimal(0), "AUD", day, days)
    return dict(by_category), dict(by_currency)


def sums(rows: list[dict[str, Any]], key: str, amount: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row[key]] += Decimal(str(row[amount] or 0))
    return dict(found)


def in_every_format(made: Made) -> list[tuple[dict[str, Decimal], dict[str, Decimal]]]:
    """Sums by category and by currency, as JSON, CSV and workbook have them, twice each."""
    document = made.json
    csv = [row for row in made.csv if row["side"] == "expense"]
    names = {each["name"]: each["category"] for each in document["categories"]}
    cells = made.lines("Expenses")
    for row in cells:
        row["Category"] = names[row["Category"]]
    by_sheet = {
        row["Currency"]: round_money(Decimal(str(row["Amount"])), row["Currency"])
        for row in made.lines_of("Currencies", "Side")
        if row["Side"] == "expense"
    }
    spent = [each for each in document["categories"] if each["side"] == "expense"]
    used = [each for each in document["currencies"] if each["side"] == "expense"]
    return [
        (sums(spent, "category", "base"), sums(used, "currency", "amount")),
        *(
            (sums(rows, "category", base), sums(rows, "currency", "amount"))
            for rows, base in ((document["expenses"], "base"), (csv, "base_amount"))
        ),
        (sums(cells, "Category", "In AUD"), sums(cells, "Currency", "Amount")),
        (sums(spent, "category", "base"), by_sheet),
    ]


class TestAnyLedger:
    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(st.lists(entries(), max_size=25))
    def test_has_the_same_sums_everywhere(
        self, lab: Lab, ledger: list[tuple[bool, dict[str, Any]]]
    ) -> None:
        books = Books(lab)
        for spent, entry in ledger:
            books.record(EXPENSES if spent else INCOMES, entry)
        made = books.report(period={"from": f"{FIRST}", "to": f"{END}"})
        truth = expected(books)
        for number, found in enumerate(in_every_format(made)):
            assert found == truth, number
        total = Decimal(made.result.totals.spent.amount)
        assert total == sum(truth[0].values())
        assert total == sum((Decimal(each["spent"]) for each in made.json["days"]), Decimal(0))
        assert total == sum((Decimal(each["spent"]) for each in made.json["months"]), Decimal(0))

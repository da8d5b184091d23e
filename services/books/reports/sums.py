"""The sums of a report: one query of grouping sets, from which every total is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from core.database import Steps, bind
from core.money import round_money
from services.books.reports.selection import Selection, expense_lines, income_lines

_SUMS = text(f"""
WITH lines AS ({expense_lines("day")} UNION ALL {income_lines()}),
    facts AS (SELECT *, CAST(date_trunc('month', CAST(day AS timestamp)) AS date) AS month,
        base IS NOT NULL AS converted FROM lines)
SELECT grouping(currency, day, month, fx_source) AS level, side, category, currency, converted,
    day, month, fx_source, sum(amount) AS amount, sum(base) AS base,
    count(*) FILTER (WHERE opens) AS count, min(fx_date) AS rated_first, max(fx_date) AS rated_last
FROM facts GROUP BY GROUPING SETS (
    (side, category, currency, converted), (side, day), (side, month, category),
    (currency, fx_source))
ORDER BY level, side, category, currency, converted, day, month, fx_source
""")  # noqa: S608  # our own constants

_BEFORE = text(f"""
SELECT category, sum(base) AS base FROM ({expense_lines("month")}) AS lines
WHERE base IS NOT NULL GROUP BY category
""")  # noqa: S608  # our own constants

#: What `grouping` says of a row of each set: the bits of the columns that it leaves out.
_BY_CATEGORY, _BY_DAY, _BY_MONTH, _BY_RATE = 0b0111, 0b1011, 0b1101, 0b0110


def exact(amount: Decimal, currency: str) -> Decimal:
    """An amount with all decimals of its currency, and more where it has them."""
    rounded = round_money(amount, currency)
    return rounded if rounded == amount else amount.normalize()


@dataclass(frozen=True)
class Sum:
    """What one category and currency add up to. `base`: of it in the report's; None: no rate."""

    side: str
    category: str
    currency: str
    amount: Decimal
    base_amount: Decimal | None
    count: int


@dataclass(frozen=True)
class RateUse:
    """Whose rates were used for a currency, of which days, for how many entries."""

    currency: str
    source: str
    first: date
    last: date
    entries: int


@dataclass(frozen=True)
class Sums:
    """All sums of a selection, in its currency unless another is named.

    Attributes:
        days: by side and day; what is not converted adds nothing.
        months: of expenses, by month (its first day) and category.
        income_months: by month.
        earlier: expenses of the period before, from `earlier_first` on, by category.
    """

    currency: str
    expenses: list[Sum]
    incomes: list[Sum]
    days: dict[tuple[str, date], Decimal]
    months: dict[tuple[date, str], Decimal]
    income_months: dict[date, Decimal]
    rates: list[RateUse]
    earlier_first: date
    earlier: dict[str, Decimal] = field(default_factory=dict)

    @property
    def spent(self) -> Decimal:
        return _total(self.expenses, self.currency)

    @property
    def income(self) -> Decimal:
        return _total(self.incomes, self.currency)


def _total(sums: Sequence[Sum], currency: str) -> Decimal:
    """What is converted, together."""
    rated = (each.base_amount for each in sums if each.base_amount is not None)
    return exact(sum(rated, Decimal(0)), currency)


def read(selection: Selection) -> Steps[Sums]:
    """Add up a selection, and its expenses in the period of the same length before it."""
    rows = (yield bind(_SUMS, **selection.values())).all()
    length = selection.end - selection.first
    # as in the summary: nothing is older than that
    earlier = replace(
        selection,
        first=max(selection.first - length, date(1970, 1, 1)),
        end=selection.first,
    )
    before = (yield bind(_BEFORE, **earlier.values())).all()
    currency = selection.currency
    found = _sums(rows, currency, earlier.first)
    then = {row.category: exact(row.base, currency) for row in before}
    return replace(found, earlier=then)


def _sums(rows: Sequence[Row[Any]], currency: str, earlier_first: date) -> Sums:
    def base(row: Row[Any]) -> Decimal:
        return exact(row.base or Decimal(0), currency)

    level: dict[int, list[Row[Any]]] = {}
    for row in rows:
        level.setdefault(row.level, []).append(row)
    months = level.get(_BY_MONTH, [])
    income_months: dict[date, Decimal] = {}
    for row in months:
        if row.side == "income":
            income_months[row.month] = income_months.get(row.month, Decimal(0)) + base(row)
    return Sums(
        currency=currency,
        expenses=[_sum(row, currency) for row in level.get(_BY_CATEGORY, []) if _spent(row)],
        incomes=[_sum(row, currency) for row in level.get(_BY_CATEGORY, []) if not _spent(row)],
        days={(row.side, row.day): base(row) for row in level.get(_BY_DAY, [])},
        months={(row.month, row.category): base(row) for row in months if _spent(row)},
        income_months=income_months,
        rates=[_rate(row) for row in level.get(_BY_RATE, []) if row.fx_source],
        earlier_first=earlier_first,
    )


def _spent(row: Row[Any]) -> bool:
    return bool(row.side == "expense")


def _sum(row: Row[Any], currency: str) -> Sum:
    amount, count = exact(row.amount, row.currency), row._mapping["count"]
    base = exact(row.base, currency) if row.converted else None
    return Sum(row.side, row.category, row.currency, amount, base, count)


def _rate(row: Row[Any]) -> RateUse:
    return RateUse(
        row.currency, row.fx_source, row.rated_first, row.rated_last, row._mapping["count"]
    )


def months_of(first: date, end: date) -> list[date]:
    """The first days of all months that a period touches."""
    found = [first.replace(day=1)]
    while (following := (found[-1] + timedelta(days=31)).replace(day=1)) < end:
        found.append(following)
    return found

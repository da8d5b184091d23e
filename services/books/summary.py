"""What the books of a period say: sums by category and currency, converted as they were frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from core.database import OWN_PLAN, Steps, bind
from core.money import round_money
from services.books import budgets, finance
from services.books.budgets import BudgetView, Status
from services.trips import views as trips

#: Budgets that a summary shows.
MOST_BUDGETS = 50

_SUMS = text("""
SELECT category, currency, base_currency IS NOT DISTINCT FROM CAST(:base AS text) AND
    base_currency IS NOT NULL AS converted, sum(amount) AS amount, sum(base_amount) AS base_amount,
    count(*) AS count
FROM expense_shares(:owner, :first, :before)
WHERE (CAST(:category AS text) IS NULL OR category = :category)
    AND (CAST(:trip AS uuid) IS NULL OR trip_id = :trip)
GROUP BY 1, 2, 3 ORDER BY 1, 2
""")

_INCOMES = text("""
SELECT category, currency, base_currency IS NOT DISTINCT FROM CAST(:base AS text) AND
    base_currency IS NOT NULL AS converted, sum(amount) AS amount, sum(base_amount) AS base_amount,
    count(*) AS count
FROM incomes WHERE owner_id = :owner AND deleted_at IS NULL
    AND received_on >= :first AND received_on < :before
    AND (CAST(:trip AS uuid) IS NULL OR trip_id = :trip)
GROUP BY 1, 2, 3 ORDER BY 1, 2
""")

_SPAN = text("""
SELECT min(spent_on) AS first, max(spent_on + days) AS before FROM expenses
WHERE owner_id = :owner AND trip_id = :trip AND deleted_at IS NULL
""")

_NIGHTS = text("""
SELECT coalesce(sum(nights), 0) FROM stops WHERE trip_id = :trip AND deleted_at IS NULL
""")


@dataclass(frozen=True)
class Sum:
    """What was spent (or received) in one category and currency.

    Attributes:
        base_amount: of it in the base currency; None: not converted.
    """

    category: str
    currency: str
    amount: Decimal
    base_amount: Decimal | None
    count: int


def total(sums: Sequence[Sum]) -> Decimal:
    """What is converted, together."""
    return sum((each.base_amount for each in sums if each.base_amount is not None), Decimal(0))


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        first, end: days from the first, before the end; None: the whole trip, else this month.
    """

    first: date | None = None
    end: date | None = None
    trip_id: UUID | None = None
    category: str | None = None


@dataclass(frozen=True)
class Summary:
    """What the books of a period say.

    Attributes:
        base: the base currency; None: nothing is converted.
        nights: of the trip's stops; None without a trip, or where it has none.
        before: the expenses of the period of the same length before this one.
    """

    base: str | None
    first: date
    end: date
    expenses: list[Sum]
    incomes: list[Sum]
    before: list[Sum]
    nights: int | None
    budgets: list[tuple[BudgetView, Status]]

    @property
    def days(self) -> int:
        return (self.end - self.first).days

    def per(self, parts: int) -> Decimal | None:
        """The converted total shared by days or nights, rounded."""
        if self.base is None:
            return None
        return round_money(total(self.expenses) / parts, self.base)


def summarise(owner_id: UUID, wanted: Wanted) -> Steps[Summary]:
    """Add up a period of the owner's books.

    Raises:
        TripNotFound
    """
    base = (yield from finance.read(owner_id)).currency
    today = yield from budgets.today(owner_id)
    if wanted.trip_id is not None:
        yield from trips.RECORDS.read(owner_id, wanted.trip_id)
    first, end = yield from period_of(owner_id, wanted, today)
    values = {"owner": owner_id, "base": base, "trip": wanted.trip_id}
    spending = {**values, "category": wanted.category}
    earlier = max(first - (end - first), date(1970, 1, 1))
    yield OWN_PLAN
    expenses = yield bind(_SUMS, first=first, before=end, **spending)
    expenses_then = yield bind(_SUMS, first=earlier, before=first, **spending)
    incomes = yield bind(_INCOMES, first=first, before=end, **values)
    nights = yield from nights_of(wanted.trip_id)
    found, _ = yield from budgets.page(owner_id, limit=MOST_BUDGETS, offset=0)
    statuses = yield from budgets.statuses(owner_id, found, min(today, end - timedelta(days=1)))
    return Summary(
        base=base,
        first=first,
        end=end,
        expenses=_sums(expenses.all()),
        incomes=_sums(incomes.all()),
        before=_sums(expenses_then.all()),
        nights=nights,
        budgets=list(zip(found, statuses, strict=True)),
    )


def period_of(owner_id: UUID, wanted: Wanted, today: date) -> Steps[tuple[date, date]]:
    """The days that are asked for: the first, and the first that is not included."""
    if wanted.first is not None and wanted.end is not None:
        return wanted.first, wanted.end
    if wanted.trip_id is not None:
        span = (yield bind(_SPAN, owner=owner_id, trip=wanted.trip_id)).one()
        if span.first is not None:
            return span.first, span.before
    return budgets.month_of(today)


def nights_of(trip_id: UUID | None) -> Steps[int | None]:
    """The nights of the stops of a trip of the caller's; None where it has none."""
    if trip_id is None:
        return None
    return int((yield bind(_NIGHTS, trip=trip_id)).scalar_one()) or None


def _sums(rows: Sequence[Row[Any]]) -> list[Sum]:
    return [
        Sum(
            row.category,
            row.currency,
            row.amount,
            row.base_amount if row.converted else None,
            row._mapping["count"],
        )
        for row in rows
    ]

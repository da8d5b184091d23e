"""Budgets: what may be spent in a month or on a trip, and what was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Table, text

from core.database import OWN_PLAN, Steps, bind
from core.money import shown
from models.base import metadata
from models.book import Budget
from services.books import finance, references
from services.books.builtin import Side
from services.books.errors import BudgetNotFound
from services.idempotency import IdempotencyKey
from services.records import Made, Record, Records, Versions

BUDGETS: Table = metadata.tables[str(Budget.__tablename__)]
#: All days that an expense may have.
ALWAYS = (date(1970, 1, 1), date(2201, 1, 1))


@dataclass(frozen=True)
class BudgetView(Record):
    """A budget as its owner sees it."""

    WRITTEN: ClassVar[tuple[str, ...]] = (
        *("name", "amount", "currency", "category", "trip_id", "period", "alert_percent"),
    )

    name: str
    amount: Decimal
    currency: str
    category: str | None
    trip_id: UUID | None
    period: str
    alert_percent: int

    def written(self) -> dict[str, Any]:
        return {**super().written(), "amount": shown(self.amount, self.currency)}


RECORDS = Records(BUDGETS, BudgetView, BudgetNotFound)


@dataclass(frozen=True)
class Status:
    """What became of a budget.

    Attributes:
        first, end: the days that count: from the first, before the end; None: of the whole trip.
        spent: in its own currency.
        unconverted: what else was spent, by currency, which is not in it.
    """

    first: date | None
    end: date | None
    spent: Decimal
    unconverted: list[tuple[str, Decimal]]

    def fraction(self, amount: Decimal) -> Decimal:
        return (self.spent / amount).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)

    def alert(self, budget: BudgetView) -> str:
        if self.spent > budget.amount:
            return "over"
        return "near" if self.spent * 100 >= budget.amount * budget.alert_percent else "none"


def _complete(
    owner_id: UUID, columns: dict[str, Any], before: BudgetView | None = None
) -> Steps[dict[str, Any]]:
    old = before.written() if before else None
    yield from references.check(owner_id, Side.EXPENSE, columns, old)
    return {**columns, "amount": Decimal(columns["amount"])}


def create(
    owner_id: UUID, columns: dict[str, Any], *, key: IdempotencyKey | None = None
) -> Steps[Made]:
    """Make a budget.

    Raises:
        Invalid: there is no such trip or category.
        KeyReused, KeyInFlight: see `take_key`.
    """
    return (yield from RECORDS.create(owner_id, _complete(owner_id, columns), key=key))


def change(
    owner_id: UUID,
    budget_id: UUID,
    revise: Callable[[BudgetView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[BudgetView]:
    """Change what the owner has written.

    Raises:
        BudgetNotFound, PreconditionFailed.
        Invalid: there is no such trip or category.
    """

    def complete(before: BudgetView, columns: dict[str, Any]) -> Steps[dict[str, Any]]:
        return _complete(owner_id, columns, before)

    return (yield from RECORDS.change(owner_id, budget_id, revise, versions, complete=complete))


def page(
    owner_id: UUID, *, deleted: bool = False, limit: int, offset: int
) -> Steps[tuple[list[BudgetView], int]]:
    """A page of the owner's budgets, newest first, and how many there are."""
    own = RECORDS.of(owner_id, deleted=deleted)
    order = [BUDGETS.c.id.desc()]
    return (yield from RECORDS.counted_page(own, order, limit=limit, offset=offset))


def today(owner_id: UUID) -> Steps[date]:
    """The date where the owner keeps the books."""
    settings = yield from finance.read(owner_id)
    return datetime.now(ZoneInfo(settings.zone)).date()


def month_of(day: date) -> tuple[date, date]:
    """The first day of a month and that of the next."""
    first = day.replace(day=1)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return first, following


# In its own currency count the amounts of that currency, and those converted into it.
_SPENT = text("""
SELECT b.n, share.currency, share.counts, sum(share.spent) AS spent
FROM unnest(CAST(:firsts AS date[]), CAST(:ends AS date[]), CAST(:categories AS text[]),
            CAST(:trips AS uuid[]), CAST(:currencies AS text[]))
    WITH ORDINALITY AS b (first, before, category, trip_id, currency, n)
CROSS JOIN LATERAL (
    SELECT e.currency,
        e.currency = b.currency OR e.base_currency IS NOT DISTINCT FROM b.currency AS counts,
        CASE WHEN e.base_currency = b.currency AND e.currency <> b.currency
            THEN e.base_amount ELSE e.amount END AS spent
    FROM expense_shares(:owner, b.first, b.before) AS e
    WHERE (b.category IS NULL OR e.category = b.category)
        AND (b.trip_id IS NULL OR e.trip_id = b.trip_id)) AS share
GROUP BY b.n, share.currency, share.counts ORDER BY share.currency
""")


def statuses(owner_id: UUID, budgets: Sequence[BudgetView], on: date) -> Steps[list[Status]]:
    """What became of budgets, in their order; those of a month in the month of a day."""
    if not budgets:
        return []
    month = month_of(on)
    spans = [month if each.period == "month" else ALWAYS for each in budgets]
    yield OWN_PLAN
    found = yield bind(
        _SPENT,
        owner=owner_id,
        firsts=[first for first, _ in spans],
        ends=[end for _, end in spans],
        categories=[each.category for each in budgets],
        trips=[each.trip_id for each in budgets],
        currencies=[each.currency for each in budgets],
    )
    rows = found.all()
    statuses = []
    for n, (budget, span) in enumerate(zip(budgets, spans, strict=True), start=1):
        own = [row for row in rows if row.n == n]
        first, end = span if budget.period == "month" else (None, None)
        spent = sum((row.spent for row in own if row.counts), Decimal(0))
        others = [(row.currency, row.spent) for row in own if not row.counts]
        statuses.append(Status(first, end, spent, others))
    return statuses

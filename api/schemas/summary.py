"""What the books of a period say, as it goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from pydantic import Field

from api.schemas.budgets import BudgetStatus, status_shown
from api.schemas.ledgers import TotalRead
from api.schemas.money import Currency, MoneyRead
from core.money import shown
from services.books.summary import Sum, Summary, total
from tasks.plan_route.contract.values import Model


class CategorySum(Model):
    """One category: what is converted, and everything by currency."""

    category: str
    converted: MoneyRead | None
    currencies: list[TotalRead]


class SideSum(Model):
    """All expenses or all incomes of the period."""

    converted: MoneyRead | None = Field(description="null: no base currency is set.")
    currencies: list[TotalRead] = Field(description="Everything, by currency.")
    unconverted: list[TotalRead] = Field(description="What `converted` leaves out.")
    categories: list[CategorySum]


class Before(Model):
    """The expenses of the period of the same length before this one."""

    converted: MoneyRead | None
    currencies: list[TotalRead]
    unconverted: list[TotalRead]
    change: str | None = Field(
        description="Of `converted`, as a fraction of that before; null where that is none.",
        examples=["-0.1250"],
    )


class BudgetSum(Model):
    """A budget, and what became of it."""

    id: str
    name: str
    status: BudgetStatus


class SummaryRead(Model):
    """What the books of a period say."""

    from_: date = Field(alias="from")
    to: date = Field(description="The first day that is not included.")
    days: int
    currency: Currency | None = Field(description="The base currency.")
    expenses: SideSum
    incomes: SideSum
    net: MoneyRead | None = Field(description="Incomes less expenses, both as converted.")
    per_day: MoneyRead | None
    nights: int | None = Field(description="Of the stops of the trip that is asked for.")
    per_night: MoneyRead | None
    before: Before
    budgets: list[BudgetSum] = Field(description="The newest, in the last month of the period.")


def _money(amount: Decimal | None, currency: str | None) -> dict[str, str] | None:
    if amount is None or currency is None:
        return None
    return {"amount": shown(amount, currency), "currency": currency}


def _totals(sums: Sequence[Sum], count: Callable[[Sum], bool] = bool) -> list[dict[str, Any]]:
    found: dict[str, tuple[Decimal, int]] = {}
    for each in sums:
        if count(each):
            amount, number = found.get(each.currency, (Decimal(0), 0))
            found[each.currency] = amount + each.amount, number + each.count
    return [
        {"amount": shown(amount, code), "currency": code, "count": number}
        for code, (amount, number) in sorted(found.items())
    ]


def _whole(sums: Sequence[Sum], base: str | None) -> dict[str, Any]:
    return {
        "converted": _money(total(sums), base),
        "currencies": _totals(sums),
        "unconverted": _totals(sums, lambda each: each.base_amount is None),
    }


def _side(sums: Sequence[Sum], base: str | None) -> dict[str, Any]:
    by_category: dict[str, list[Sum]] = {}
    for each in sums:
        by_category.setdefault(each.category, []).append(each)
    categories = [
        {
            "category": name,
            "converted": _money(total(own), base),
            "currencies": _totals(own),
        }
        for name, own in by_category.items()
    ]
    return {**_whole(sums, base), "categories": categories}


def _change(now: Decimal, before: Decimal) -> str | None:
    if before <= 0:
        return None
    return f"{((now - before) / before).quantize(Decimal('0.0001'), ROUND_HALF_EVEN):f}"


def summary_shown(summary: Summary) -> dict[str, Any]:
    """The fields of `SummaryRead`."""
    base = summary.base
    spent, received = total(summary.expenses), total(summary.incomes)
    change = _change(spent, total(summary.before))
    return {
        "from": summary.first,
        "to": summary.end,
        "days": summary.days,
        "currency": base,
        "expenses": _side(summary.expenses, base),
        "incomes": _side(summary.incomes, base),
        "net": _money(received - spent, base),
        "per_day": _money(summary.per(summary.days), base),
        "nights": summary.nights,
        "per_night": _money(summary.per(summary.nights), base) if summary.nights else None,
        "before": {**_whole(summary.before, base), "change": change},
        "budgets": [
            {"id": str(each.id), "name": each.name, "status": status_shown(each, status)}
            for each, status in summary.budgets
        ],
    }

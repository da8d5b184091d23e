"""Expenses: the ledger of money spent, and its shares by day and traveller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import Table

from core.money import allocate
from models.base import metadata
from models.book import Expense
from services.books.builtin import Side
from services.books.errors import ExpenseNotFound
from services.books.ledger import Ledger, MoneyEntry

EXPENSES: Table = metadata.tables[str(Expense.__tablename__)]


@dataclass(frozen=True)
class ExpenseView(MoneyEntry):
    """An expense as its owner sees it."""

    WRITTEN: ClassVar[tuple[str, ...]] = (
        *("amount", "currency", "category", "spent_on", "days", "spent_at", "zone"),
        *("description", "vendor", "note", "payment_method", "tags", "place", "travellers"),
        *("trip_id", "exchange"),
    )

    spent_on: date
    days: int
    spent_at: datetime | None
    zone: str | None
    description: str
    vendor: str
    note: str
    payment_method: str | None
    tags: list[str]
    place: dict[str, Any] | None
    travellers: list[dict[str, Any]]


LEDGER = Ledger(
    EXPENSES,
    ExpenseView,
    ExpenseNotFound,
    side=Side.EXPENSE,
    day="spent_on",
    texts=("description", "vendor", "note"),
)


@dataclass(frozen=True)
class Split:
    """An expense in shares, each of which adds up to it.

    Attributes:
        days: the day and its share.
        travellers: the name and the share; empty where nobody shares it.
    """

    currency: str
    days: list[tuple[date, Decimal]]
    travellers: list[tuple[str, Decimal]]


def split(expense: ExpenseView) -> Split:
    """Share an expense over its days and among its travellers, by largest remainder."""
    by_day = allocate(expense.amount, expense.currency, [1] * expense.days)
    days = [(expense.spent_on + timedelta(days=n), share) for n, share in enumerate(by_day)]
    names = [each["name"] for each in expense.travellers]
    weights = [each["weight"] for each in expense.travellers]
    shares = allocate(expense.amount, expense.currency, weights) if names else []
    return Split(expense.currency, days, list(zip(names, shares, strict=True)))

"""Incomes: the ledger of money received."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from sqlalchemy import Table

from models.base import metadata
from models.book import Income
from services.books.builtin import Side
from services.books.errors import IncomeNotFound
from services.books.ledger import Ledger, MoneyEntry

INCOMES: Table = metadata.tables[str(Income.__tablename__)]


@dataclass(frozen=True)
class IncomeView(MoneyEntry):
    """An income as its owner sees it."""

    WRITTEN: ClassVar[tuple[str, ...]] = (
        *("amount", "currency", "category", "received_on", "source", "description", "note"),
        *("tags", "trip_id", "exchange"),
    )

    received_on: date
    source: str
    description: str
    note: str
    tags: list[str]


LEDGER = Ledger(
    INCOMES,
    IncomeView,
    IncomeNotFound,
    side=Side.INCOME,
    day="received_on",
    texts=("source", "description", "note"),
)

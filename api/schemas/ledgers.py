"""What expenses and incomes have in common, as they come in and go out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from pydantic import Field

from api.schemas.entries import EntryRead, entry_shown
from api.schemas.money import MoneyRead
from core.money import shown
from services.books.ledger import MoneyEntry, Total
from tasks.import_expenses.contract.expense import Exchange as Exchange


class Converted(MoneyRead):
    """An amount in the base currency of its owner, at a rate that stays."""

    rate: str
    rate_date: date = Field(description="Working days have rates: no later than the entry.")
    source: Literal["same", "user", "reference"]


class ConvertedRead(EntryRead):
    """What we know of an entry with an amount."""

    converted: Converted | None = Field(
        description="null: no base currency is set, or no rate is known; totals leave it out."
    )


def money_shown(entry: MoneyEntry) -> dict[str, Any]:
    """What its owner has written, and the fields of `ConvertedRead`."""
    base, amount, rate = entry.base_currency, entry.base_amount, entry.frozen
    found = None
    if base is not None and amount is not None and rate is not None:
        found = {
            "amount": shown(amount, base),
            "currency": base,
            "rate": f"{rate.rate.normalize():f}",
            "rate_date": rate.day,
            "source": rate.source,
        }
    return {**entry_shown(entry), "converted": found}


class TotalRead(MoneyRead):
    """What the entries of one currency add up to."""

    count: int


def totals_shown(totals: Sequence[Total]) -> list[dict[str, Any]]:
    return [
        {
            "amount": shown(each.amount, each.currency),
            "currency": each.currency,
            "count": each.count,
        }
        for each in totals
    ]

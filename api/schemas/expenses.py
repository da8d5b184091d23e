"""Expenses, as they come in and go out."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from api.merge import PatchOf
from api.schemas.base import Page
from api.schemas.ledgers import ConvertedRead, TotalRead
from api.schemas.money import MoneyRead
from core.money import shown
from services.books.expenses import Split
from tasks.import_expenses.contract.expense import ExpenseNew as ExpenseNew
from tasks.import_expenses.contract.expense import Method as Method
from tasks.plan_route.contract.values import Model

ExpensePatch = Annotated[dict[str, Any], PatchOf(ExpenseNew)]


class ExpenseRead(ConvertedRead, ExpenseNew):
    """An expense."""


class ExpensePage(Page[ExpenseRead]):
    """One page of expenses, and what they all add up to."""

    totals: list[TotalRead] = Field(description="By currency, over all pages.")


class DayShare(MoneyRead):
    """The share of one day."""

    date: date


class TravellerShare(MoneyRead):
    """The share of one traveller."""

    name: str


class SplitRead(Model):
    """An expense in shares that add up to it exactly."""

    days: list[DayShare]
    travellers: list[TravellerShare]


def split_shown(split: Split) -> dict[str, Any]:
    """The fields of `SplitRead`."""
    code = split.currency
    return {
        "days": [
            {"date": day, "amount": shown(share, code), "currency": code}
            for day, share in split.days
        ],
        "travellers": [
            {"name": name, "amount": shown(share, code), "currency": code}
            for name, share in split.travellers
        ],
    }

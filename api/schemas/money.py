"""Amounts and currencies, as they come in and go out."""

from __future__ import annotations

from tasks.import_expenses.contract.expense import AmountText as AmountText
from tasks.import_expenses.contract.expense import Currency as Currency
from tasks.import_expenses.contract.expense import Priced as Priced
from tasks.plan_route.contract.values import Model


class MoneyRead(Model):
    """An amount of one currency."""

    amount: AmountText
    currency: Currency

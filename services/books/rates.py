"""Rates of exchange: what the owner paid, else the reference of the day; never a guess."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import text

from core.database import Steps, bind
from core.money import LARGEST, exponent_of, round_money

#: Rates are published on working days: one may be this many days old. Easter takes five.
MAX_AGE_DAYS = 7
_UNIT = Decimal(1).scaleb(-10)  # as the tables hold a rate
EURO = "EUR"

_LOOK_UP = text("""
SELECT wanted.currency, wanted.day AS asked, rate.day, rate.per_euro
FROM unnest(CAST(:currencies AS text[]), CAST(:days AS date[])) AS wanted (currency, day)
CROSS JOIN LATERAL (SELECT day, per_euro FROM fx_rates
    WHERE currency = wanted.currency AND day <= wanted.day AND day >= wanted.day - :age
    ORDER BY day DESC LIMIT 1) AS rate
""")


@dataclass(frozen=True)
class Rate:
    """How many of a base currency one unit is, from when, and who says so.

    Attributes:
        source: `same` (it is that currency), `user`, or `reference`.
    """

    rate: Decimal
    day: date
    source: str


@dataclass(frozen=True)
class Wanted:
    """What is to be converted: of which currency and day, and the rate that its owner gave.

    Attributes:
        exchange: `{"currency", "rate"}`, which counts where that is the base currency.
    """

    currency: str
    day: date
    exchange: Mapping[str, Any] | None = None

    def without_reference(self, base: str) -> Rate | None:
        """The rate that needs no look-up."""
        if self.currency == base:
            return Rate(Decimal(1), self.day, "same")
        if self.exchange is not None and self.exchange["currency"] == base:
            return Rate(Decimal(self.exchange["rate"]), self.day, "user")
        return None


Reference = dict[tuple[str, date], tuple[Decimal, date]]


def look_up(base: str, wanted: Collection[Wanted]) -> Steps[list[Rate | None]]:
    """The rates into a base currency, in the order of what is wanted; None where none is known."""
    open_ = [each for each in wanted if each.without_reference(base) is None]
    asked = {(code, each.day) for each in open_ for code in (each.currency, base)}
    reference = (yield from _reference(asked)) if asked else {}
    return [each.without_reference(base) or _cross(each, base, reference) for each in wanted]


def _reference(asked: set[tuple[str, date]]) -> Steps[Reference]:
    """How many of each currency a euro was on a day or shortly before, and when exactly."""
    pairs = sorted(asked)
    found = yield bind(
        _LOOK_UP,
        currencies=[code for code, _ in pairs],
        days=[day for _, day in pairs],
        age=MAX_AGE_DAYS,
    )
    rates = {(row.currency, row.asked): (row.per_euro, row.day) for row in found.all()}
    # the euro has no row: it is one euro whenever the other was published
    return rates | {(EURO, day): (Decimal(1), day) for code, day in asked if code == EURO}


def _cross(wanted: Wanted, base: str, reference: Reference) -> Rate | None:
    own = reference.get((wanted.currency, wanted.day))
    other = reference.get((base, wanted.day))
    if own is None or other is None:
        return None
    rate = (other[0] / own[0]).quantize(_UNIT, ROUND_HALF_EVEN)
    return Rate(rate, min(own[1], other[1]), "reference") if rate else None


#: The columns of an expense that is not converted.
UNCONVERTED: dict[str, Any] = dict.fromkeys(
    ("base_currency", "base_exponent", "base_amount", "fx_rate", "fx_date", "fx_source")
)


def converted(amount: Decimal, base: str | None, rate: Rate | None) -> dict[str, Any]:
    """The columns of an amount in its base currency; without a rate it is none, not the same."""
    if base is None or rate is None:
        return UNCONVERTED
    base_amount = round_money(amount * rate.rate, base)
    if abs(base_amount) > LARGEST:  # a fortune, or rather a slip of the pen
        return UNCONVERTED
    return {
        "base_currency": base,
        "base_exponent": exponent_of(base),
        "base_amount": base_amount,
        "fx_rate": rate.rate,
        "fx_date": rate.day,
        "fx_source": rate.source,
    }

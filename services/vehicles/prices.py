"""What a fill cost: the price of a litre and the total, of which each gives the other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from core.money import exponent_of, round_money

#: Decimals of a price per litre that follows from a total.
PRICE_DECIMALS = 4
LARGEST = Decimal("999999999.9999")


class PricedBy(StrEnum):
    """Which of the two its owner has written; the other follows."""

    PRICE = "price"
    TOTAL = "total"
    BOTH = "both"


class Contradiction(ValueError):
    """Price, volume and total do not go together."""


@dataclass(frozen=True)
class Prices:
    """What a fill cost, whole."""

    price_per_l: Decimal
    total: Decimal
    priced_by: PricedBy


def settle(
    volume_l: Decimal, price_per_l: Decimal | None, total: Decimal | None, currency: str
) -> Prices:
    """Price and total of a fill.

    Args:
        price_per_l, total: at least one; of `currency`, the total with no more decimals than
            it has.

    Raises:
        Contradiction: both are given and further apart than one unit of the currency's last
            decimal (a cent); or what follows is too large.
    """
    if total is None:
        assert price_per_l is not None
        made = Prices(price_per_l, round_money(volume_l * price_per_l, currency), PricedBy.PRICE)
    elif price_per_l is None:
        step = Decimal(1).scaleb(-PRICE_DECIMALS)
        each = (total / volume_l).quantize(step, ROUND_HALF_EVEN)
        made = Prices(each, round_money(total, currency), PricedBy.TOTAL)
    else:
        made = Prices(price_per_l, round_money(total, currency), PricedBy.BOTH)
        exact = volume_l * price_per_l
        if abs(exact - total) > Decimal(1).scaleb(-exponent_of(currency)):
            expected = format(round_money(exact, currency), "f")
            raise Contradiction(f"Volume and price per litre make {expected}")
    if max(made.price_per_l, made.total) > LARGEST:
        raise Contradiction("What follows from it is larger than any amount may be")
    return made

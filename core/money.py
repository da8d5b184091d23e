"""Money: currencies of ISO 4217 and their decimals, one rounding, and shares that add up.

Amounts are `Decimal` in here, NUMERIC in the tables and strings on the wire; never a float.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

#: Codes of ISO 4217 by the decimals of their amounts, as of 2026. What has none in the
#: standard (gold, drawing rights, test codes) is no currency to pay with.
_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD"
        " CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP"
        " GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK"
        " LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO"
        " NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS"
        " SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST"
        " XAD XCD XCG YER ZAR ZMW ZWG"
        # withdrawn lately: receipts of their years still carry them
        " ANG BGN CUC HRK SLL ZWL"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: dict[str, int] = {
    code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()
}

#: What the tables hold: NUMERIC(19, 4).
LARGEST = Decimal("999999999999.9999")


class UnknownCurrency(ValueError):
    """Not a currency of ISO 4217."""


def exponent_of(currency: str) -> int:
    """How many decimals amounts of a currency have: 2 of AUD, 0 of JPY, 3 of KWD.

    Raises:
        UnknownCurrency
    """
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(currency) from None


def round_money(amount: Decimal, currency: str) -> Decimal:
    """The nearest amount of a currency; the even one of two that are as near.

    The only rounding of money there is: Postgres and others would round halves differently.
    """
    rounded = amount.quantize(Decimal(1).scaleb(-exponent_of(currency)), ROUND_HALF_EVEN)
    return rounded or abs(rounded)  # there is no minus nothing


def has_too_many_decimals(amount: Decimal, currency: str) -> bool:
    """Whether an amount is written with more decimals than its currency has."""
    scale = amount.as_tuple().exponent
    return not isinstance(scale, int) or -scale > exponent_of(currency)


def shown(amount: Decimal, currency: str) -> str:
    """An amount with all decimals of its currency: `182.50`; nothing is lost or rounded away.

    Raises:
        ValueError: the amount has more decimals than that.
    """
    rounded = round_money(amount, currency)
    if rounded != amount:
        raise ValueError(f"no amount of {currency}: {amount}")
    return f"{rounded:f}"


def allocate(amount: Decimal, currency: str, weights: Sequence[int]) -> list[Decimal]:
    """Share an amount by weights, in whole minor units that add up to it exactly.

    Largest remainder: everybody gets their share rounded towards nothing, and the units that
    are left go to the largest remainders, of equal ones to the first.

    Args:
        weights: at least one, none negative, not all nothing.
    """
    if not weights or min(weights) < 0 or not sum(weights):
        raise ValueError("weights must be positive")
    exponent, whole = exponent_of(currency), sum(weights)
    units = int(round_money(amount, currency).scaleb(exponent))
    sign, units = (-1 if units < 0 else 1), abs(units)
    parts = [units * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda n: units * weights[n] % whole, reverse=True
    )
    for n in by_remainder[: units - sum(parts)]:
        parts[n] += 1
    return [Decimal(sign * part).scaleb(-exponent) if part else Decimal(0) for part in parts]

"""Amounts and currencies, as they come in and go out."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from core.money import EXPONENTS, exponent_of, has_too_many_decimals, shown
from tasks.plan_route.contract.values import Model


def _known(code: str) -> str:
    if code not in EXPONENTS:
        raise PydanticCustomError("currency_unknown", "No such currency in ISO 4217")
    return code


Currency = Annotated[
    str,
    StringConstraints(max_length=3),
    AfterValidator(_known),
    Field(description="ISO 4217 code.", examples=["AUD"]),
]
AmountText = Annotated[
    str,
    StringConstraints(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,4})?$", strict=True),
    Field(
        description="A decimal number as a string, with no more decimals than its currency has.",
        examples=["182.50"],
    ),
]


class Priced(Model):
    """An amount that fits its currency."""

    # the currency stands first, for the amount is checked against it
    currency: Currency
    amount: AmountText

    @field_validator("amount", check_fields=False)
    @classmethod
    def _fits(cls, amount: str, info: ValidationInfo) -> str:
        currency = info.data.get("currency")
        if currency is None:  # it is wrong itself
            return amount
        if has_too_many_decimals(Decimal(amount), currency):
            raise PydanticCustomError(
                "too_many_decimals",
                "An amount of {currency} has at most {most} decimals",
                {"currency": currency, "most": exponent_of(currency)},
            )
        return shown(Decimal(amount), currency)


class MoneyRead(Model):
    """An amount of one currency."""

    amount: AmountText
    currency: Currency

"""An expense as its owner writes it, by request or as a line of a file: checked once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from core.money import EXPONENTS, exponent_of, has_too_many_decimals, shown
from tasks.plan_route.contract.values import Day, Label, Model, Moment, Place, Text, Zone

MAX_DAYS = 366


def _known(code: str) -> str:
    if code not in EXPONENTS:
        raise PydanticCustomError("currency_unknown", "No such currency in ISO 4217")
    return code


def _distinct(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


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
Category = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(description="The key of a category.", examples=["fuel"]),
]
Tags = Annotated[list[Label], Field(max_length=20), AfterValidator(_distinct)]
Note = Annotated[str, StringConstraints(max_length=4_000)]
Method = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(examples=["card"]),
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


class Exchange(Model):
    """What its owner paid for one unit of the amount's currency."""

    currency: Currency
    rate: Annotated[
        str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,10})?$", strict=True)
    ] = Field(description="A decimal number as a string, more than nothing.", examples=["0.6543"])

    @field_validator("rate")
    @classmethod
    def _something(cls, rate: str) -> str:
        if not Decimal(rate):
            raise PydanticCustomError("rate_of_nothing", "Must be more than nothing")
        return rate


class Traveller(Model):
    """Somebody who shares an expense."""

    name: Label
    weight: int = Field(1, strict=True, ge=1, le=1000, description="Shares of the whole.")


class ExpenseNew(Priced):
    """Money spent. A negative amount is money that came back."""

    category: Category
    spent_on: Day = Field(description="The date where it was spent.")
    days: int = Field(
        1,
        strict=True,
        ge=1,
        le=MAX_DAYS,
        description="Over how many days, from `spent_on` on, it is spread evenly.",
    )
    zone: Zone | None = Field(None, description="Of the place; `spent_on` is its date.")
    spent_at: Moment | None = Field(None, description="The moment; needs `zone`.")
    description: Text = ""
    vendor: Text = ""
    note: Note = ""
    trip_id: UUID | None = None
    tags: Tags = Field(default_factory=list)
    payment_method: Method | None = None
    place: Place | None = None
    travellers: list[Traveller] = Field(
        default_factory=list, max_length=20, description="Who shares it, each named once."
    )

    exchange: Exchange | None = Field(
        None, description="The rate that was paid; it goes before the reference rate of the day."
    )

    @field_validator("travellers")
    @classmethod
    def _named_once(cls, travellers: list[Traveller]) -> list[Traveller]:
        if len({each.name for each in travellers}) < len(travellers):
            raise PydanticCustomError("traveller_twice", "Name each traveller once")
        return travellers

    @field_validator("spent_at")
    @classmethod
    def _on_that_date(cls, at: datetime | None, info: ValidationInfo) -> datetime | None:
        if at is None or not {"spent_on", "zone"} <= info.data.keys():
            return at
        if (zone := info.data["zone"]) is None:
            raise PydanticCustomError("zone_missing", "Needs the zone of the place")
        if at.astimezone(ZoneInfo(zone)).date() != info.data["spent_on"]:
            raise PydanticCustomError("other_date", "Is not on `spent_on` in that zone")
        return at

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        kept = ("spent_on", "spent_at", "trip_id")
        return {**self.model_dump(mode="json"), **{name: getattr(self, name) for name in kept}}

"""Expenses, as they come in and go out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.merge import PatchOf
from api.schemas.base import Page
from api.schemas.entries import Category, Note, Tags
from api.schemas.ledgers import ConvertedRead, Exchange, TotalRead
from api.schemas.money import MoneyRead, Priced
from api.schemas.trips import Day
from core.money import shown
from services.books.expenses import Split
from tasks.plan_route.contract.values import Label, Model, Moment, Place, Text, Zone

MAX_DAYS = 366

Method = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(examples=["card"]),
]


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

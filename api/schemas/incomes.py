"""Incomes, as they come in and go out."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.merge import PatchOf
from api.schemas.base import Page
from api.schemas.entries import Category, Note, Tags
from api.schemas.ledgers import ConvertedRead, Exchange, TotalRead
from api.schemas.money import Priced
from api.schemas.trips import Day
from tasks.plan_route.contract.values import Text


class IncomeNew(Priced):
    """Money received. A negative amount is money that was given back."""

    category: Category = Field("other", description="The key of a category of incomes.")
    received_on: Day = Field(description="The date where it was received.")
    source: Text = Field("", description="Who paid.")
    description: Text = ""
    note: Note = ""
    trip_id: UUID | None = None
    tags: Tags = Field(default_factory=list)
    exchange: Exchange | None = Field(
        None, description="The rate that was got; it goes before the reference rate of the day."
    )

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        kept = {"received_on": self.received_on, "trip_id": self.trip_id}
        return {**self.model_dump(mode="json"), **kept}


IncomePatch = Annotated[dict[str, Any], PatchOf(IncomeNew)]


class IncomeRead(ConvertedRead, IncomeNew):
    """An income."""


class IncomePage(Page[IncomeRead]):
    """One page of incomes, and what they all add up to."""

    totals: list[TotalRead] = Field(description="By currency, over all pages.")

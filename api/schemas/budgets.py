"""Budgets, as they come in and go out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.merge import PatchOf
from api.schemas.entries import Category, EntryRead, entry_shown
from api.schemas.money import MoneyRead, Priced
from core.money import shown
from services.books.budgets import BudgetView, Status
from tasks.plan_route.contract.values import Model, Text


class BudgetNew(Priced):
    """What may be spent."""

    name: Text = ""
    category: Category | None = Field(None, description="null: all categories together.")
    trip_id: UUID | None = None
    period: Literal["month", "trip"] = Field(
        "month", description="`month`: anew each month. `trip`: the whole of one; needs `trip_id`."
    )
    alert_percent: int = Field(80, strict=True, ge=1, le=100, description="When to warn.")

    @field_validator("amount")
    @classmethod
    def _something(cls, amount: str) -> str:
        if Decimal(amount) <= 0:
            raise PydanticCustomError("amount_of_nothing", "Must be more than nothing")
        return amount

    @field_validator("period")
    @classmethod
    def _of_a_trip(cls, period: str, info: ValidationInfo) -> str:
        if period == "trip" and info.data.get("trip_id", ...) is None:
            raise PydanticCustomError("trip_missing", "Needs `trip_id`")
        return period

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        return {**self.model_dump(mode="json"), "trip_id": self.trip_id}


BudgetPatch = Annotated[dict[str, Any], PatchOf(BudgetNew)]


class BudgetStatus(Model):
    """What became of it. Counted is what was spent in its currency or converted into it."""

    from_: date | None = Field(alias="from", description="null: the whole trip.")
    to: date | None = Field(description="The first day that does not count.")
    spent: MoneyRead
    left: MoneyRead = Field(description="Less than nothing where too much was spent.")
    fraction: str = Field(description="Spent of the whole.", examples=["0.7312"])
    alert: Literal["none", "near", "over"]
    unconverted: list[MoneyRead] = Field(description="Spent, but not counted: no rate is known.")


class BudgetRead(EntryRead, BudgetNew):
    """A budget."""

    status: BudgetStatus


def status_shown(budget: BudgetView, status: Status) -> dict[str, Any]:
    """The fields of `BudgetStatus`."""
    code = budget.currency
    return {
        "from": status.first,
        "to": status.end,
        "spent": {"amount": shown(status.spent, code), "currency": code},
        "left": {"amount": shown(budget.amount - status.spent, code), "currency": code},
        "fraction": f"{status.fraction(budget.amount):f}",
        "alert": status.alert(budget),
        "unconverted": [
            {"amount": shown(amount, other), "currency": other}
            for other, amount in status.unconverted
        ],
    }


def budget_shown(budget: BudgetView, status: Status) -> dict[str, Any]:
    """The fields of `BudgetRead`."""
    return {**entry_shown(budget), "status": status_shown(budget, status)}

"""Exporting the books: which entries, as which CSV."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from core.kind import Kind, Lane, Priority
from tasks.import_expenses.contract.expense import AmountText, Category, Currency, Method
from tasks.plan_route.contract.values import Day, Label, Model

Sort = Literal[
    "-spent_on",
    "spent_on",
    "-received_on",
    "received_on",
    "-amount",
    "amount",
    "-created_at",
    "created_at",
]
_DAYS = {"expenses": "spent_on", "incomes": "received_on"}


class ExportRequest(Model):
    """Entries as the lists show them, with the same filters, all pages of them."""

    model_config = ConfigDict(serialize_by_alias=True)

    entries: Literal["expenses", "incomes"] = "expenses"
    raw: bool = Field(
        False,
        strict=True,
        description="For programs: field names as headings, and texts as they are. Else texts that "
        "begin like a formula have an apostrophe before them. Both can be imported again.",
    )
    bom: bool = Field(False, strict=True, description="A mark of UTF-8, which Excel wants.")
    first: Day | None = Field(None, alias="from", description="This day or later.")
    end: Day | None = Field(None, alias="to", description="Before this day.")
    category: Category | None = None
    trip_id: UUID | None = None
    tag: Label | None = None
    payment_method: Method | None = Field(None, description="Of expenses only.")
    currency: Currency | None = None
    min_amount: AmountText | None = None
    max_amount: AmountText | None = None
    q: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="A part of a text, as in the list."
    )
    deleted: bool = Field(False, strict=True, description="The deleted ones instead.")
    sort: Sort | None = Field(None, description="null: latest first.")
    tags: list[Label] = Field(default_factory=list, max_length=20, description="Of the job.")

    @property
    def order(self) -> str:
        """By what to sort."""
        return self.sort or f"-{_DAYS[self.entries]}"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wrong: list[InitErrorDetails] = []
        if self.first is not None and self.end is not None and self.end <= self.first:
            wrong.append(_wrong("to", "Must be after `from`: the day is not included"))
        if self.entries == "incomes" and self.payment_method is not None:
            wrong.append(_wrong("payment_method", "Incomes have none"))
        day = self.order.removeprefix("-")
        if day in _DAYS.values() and day != _DAYS[self.entries]:
            wrong.append(_wrong("sort", f"The day of {self.entries} is {_DAYS[self.entries]}"))
        if wrong:
            raise ValidationError.from_exception_data(type(self).__name__, wrong)
        return self


def _wrong(field: str, message: str) -> InitErrorDetails:
    error = PydanticCustomError("does_not_fit", message)
    return InitErrorDetails(type=error, loc=(field,), input=None)


class ExportResult(Model):
    """What was exported; the file is the job's artifact."""

    entries: Literal["expenses", "incomes"]
    rows: int
    name: str
    artifact_id: UUID


EXPORT_BOOKS: Kind[ExportRequest, ExportResult] = Kind(
    name="export_books",
    request=ExportRequest,
    result=ExportResult,
    # a second of the processor for 100,000 entries
    lane=Lane.COMPUTE,
    time_limit_s=300.0,
    priority=Priority.BATCH,
    schedulable=True,
)

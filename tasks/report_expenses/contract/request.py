"""What a client asks of a report."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from core.money import EXPONENTS
from tasks.plan_route.contract.values import Label, Model, Text, Zone
from tasks.report_expenses.contract.periods import AnyPeriod, Relative, is_relative

Format = Literal["pdf", "xlsx", "csv", "json"]
#: What is made where nothing is said.
FORMATS: tuple[Format, ...] = ("pdf", "xlsx", "csv", "json")


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise PydanticCustomError("currency_unknown", "No such currency in ISO 4217")
    return code


class Filters(Model):
    """Which entries count; an empty list is no filter, and of several any one will do."""

    categories: list[Label] = Field(default_factory=list, max_length=50)
    tags: list[Label] = Field(
        default_factory=list, max_length=50, description="The only filter that incomes have too."
    )
    payment_methods: list[Label] = Field(default_factory=list, max_length=20)


class ReportRequest(Model):
    """Which part of the books to report, and how."""

    period: AnyPeriod | None = Field(
        None, description="null: all of the trip. With both, of the trip what lies in the period."
    )
    trip_id: UUID | None = None
    currency: Annotated[str, AfterValidator(_known_currency)] | None = Field(
        None,
        description="ISO 4217, of all totals; null: the base currency of the books. Entries count "
        "as they were converted when they were written, at rates that stay; what is neither in "
        "this currency nor converted into it is listed as unconverted.",
        examples=["AUD"],
    )
    locale: Annotated[
        str, StringConstraints(max_length=20, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")
    ] = Field("en-AU", description="BCP 47: language and number formats of what people read.")
    zone: Zone | None = Field(None, description="null: that of the books.")
    formats: list[Format] = Field(
        default_factory=lambda: [*FORMATS],
        min_length=1,
        max_length=4,
        description="Made in this order, each once. The PDF has the CSV attached where both are "
        "asked for, and lists 5,000 entries; of more it says how many it leaves out.",
    )
    filters: Filters = Filters()
    receipts: bool = Field(False, strict=True, description="Whether to show them, where they fit.")
    raw_csv: bool = Field(
        False,
        strict=True,
        description="CSV for machines: without the apostrophe before texts that a spreadsheet "
        "would take for formulas.",
    )
    title: Text = ""
    tags: list[Label] = Field(
        default_factory=list, max_length=20, description="Of the job; a trip adds `trip:{id}`."
    )

    @field_validator("formats")
    @classmethod
    def _each_once(cls, formats: list[Format]) -> list[Format]:
        return list(dict.fromkeys(formats))

    @model_validator(mode="wrap")
    @classmethod
    def _of_something(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Ask for a period or a trip, and name this together with all that is wrong beside it.

        Raises:
            ValidationError
        """
        given = isinstance(data, BaseModel) or not isinstance(data, dict)
        if given or data.get("period") is not None or data.get("trip_id") is not None:
            return handler(data)
        missing = PydanticCustomError("missing", "Give a period, or a trip_id")
        found = [InitErrorDetails(type=missing, loc=("period",), input=None)]
        try:
            handler(data)
        except ValidationError as error:
            found += [
                InitErrorDetails(
                    type=PydanticCustomError(each["type"], each["msg"].replace("{", "(")),
                    loc=each["loc"],
                    input=each["input"],
                )
                for each in error.errors()
            ]
        raise ValidationError.from_exception_data(cls.__name__, found)


def dated(content: dict[str, Any], at: datetime, zone: str) -> dict[str, Any]:
    """A request, as JSON values, whose period is that of a moment.

    Args:
        at: when the report was asked for, or was scheduled for.
        zone: says which day that is, unless the request has a zone of its own.
    """
    period = content.get("period")
    if not is_relative(period):
        return content
    today = at.astimezone(ZoneInfo(content.get("zone") or zone)).date()
    found = Relative.model_validate(period).on(today)
    return {**content, "period": found.model_dump(mode="json")}

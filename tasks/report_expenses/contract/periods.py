"""Periods of a report: days from the first, before the end; or relative to the day it is made."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WrapValidator,
    field_validator,
)
from pydantic_core import PydanticCustomError

_YEARS = (1970, 2200)
#: The longest period, in days: ten years, and the days that leap years add.
MOST_DAYS = 3653
_MONTHS = 12


def _written_out(value: Any) -> Any:
    """Refuse numbers and times that Pydantic would read as a date."""
    written = isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
    if written or isinstance(value, date):
        return value
    raise PydanticCustomError("date_format", "Write a date: 2026-03-01")


def _of_our_time(value: date) -> date:
    first, last = _YEARS
    if not first <= value.year <= last:
        raise PydanticCustomError(
            "date_range", "The year must be from {first} to {last}", {"first": first, "last": last}
        )
    return value


Day = Annotated[date, BeforeValidator(_written_out), AfterValidator(_of_our_time)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True
    )


class Period(_Part):
    """Days of the place: a month, a tax year of any first day, or whatever else."""

    from_: Day = Field(alias="from", description="The first day.")
    to: Day = Field(description="The first day that is not included.")

    @field_validator("to")
    @classmethod
    def _after(cls, to: date, info: ValidationInfo) -> date:
        first = info.data.get("from_")
        if first is not None and not 0 < (to - first).days <= MOST_DAYS:
            raise PydanticCustomError(
                "period_length",
                "Must be after `from`, and at most {most} days after it",
                {"most": MOST_DAYS},
            )
        return to


Unit = Literal["previous_week", "previous_month", "previous_quarter", "previous_year"]


def _day_of_a_year(text: str) -> str:
    month, day = (int(part) for part in text.split("-"))
    try:
        date(2001, month, day)  # a year without 29 February: other years would have no first day
    except ValueError:
        raise PydanticCustomError("no_day", "No day that every year has") from None
    return text


class Relative(_Part):
    """The last period that was over when the report was asked for, or when it was scheduled for;
    weeks begin on Mondays."""

    relative: Unit
    year_starts: Annotated[
        str, StringConstraints(pattern=r"^[0-9]{2}-[0-9]{2}$"), AfterValidator(_day_of_a_year)
    ] = Field(
        "01-01",
        description="Month and day on which a year begins, `07-01` of Australia's tax year; its "
        "quarters begin with it.",
    )

    def on(self, today: date) -> Period:
        """The period, seen from a day."""
        if self.relative == "previous_week":
            end = today - timedelta(days=today.weekday())
            return Period(from_=end - timedelta(days=7), to=end)
        if self.relative == "previous_month":
            end = today.replace(day=1)
            return Period(from_=(end - timedelta(days=1)).replace(day=1), to=end)
        step = 3 if self.relative == "previous_quarter" else _MONTHS
        starts = self._starts(today.year - 2, step, 4 * _MONTHS)
        first, end = [each for each in starts if each <= today][-2:]
        return Period(from_=first, to=end)

    def _starts(self, year: int, step: int, months: int) -> list[date]:
        """When quarters or years begin, from the first of a year on."""
        month, day = (int(part) for part in self.year_starts.split("-"))
        found = []
        for passed in range(month - 1, month - 1 + months, step):
            years, index = divmod(passed, _MONTHS)
            found.append(_day(year + years, index + 1, day))
        return found


def _day(year: int, month: int, day: int) -> date:
    """The day of a month; its last one where it is shorter."""
    following = date(year + month // _MONTHS, month % _MONTHS + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day - 1), following - timedelta(days=1))


def is_relative(value: Any) -> bool:
    """Whether a period is written as relative to a day."""
    return isinstance(value, Relative) or (isinstance(value, dict) and "relative" in value)


def _either(value: Any, _: Any) -> Period | Relative:
    # errors keep their fields: period.from
    return (Relative if is_relative(value) else Period).model_validate(value)


AnyPeriod = Annotated[Period | Relative, WrapValidator(_either)]

"""Periods that a caller asks for: whole days, or moments; from the first, before the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from pydantic import BeforeValidator, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.schemas.trips import Day
from core.errors import Invalid
from tasks.plan_route.contract.values import Moment


@dataclass(frozen=True)
class Period:
    """Days from the first, before the end; either may be open."""

    first: date | None
    end: date | None


async def read_period(
    first: Annotated[Day | None, Query(alias="from", description="This day or later.")] = None,
    end: Annotated[Day | None, Query(alias="to", description="Before this day.")] = None,
) -> Period:
    """Which days.

    Raises:
        Invalid: there are none.
    """
    if first is not None and end is not None and end <= first:
        raise Invalid(field_errors={"to": ["Must be after `from`: the day is not included"]})
    return Period(first, end)


PeriodQuery = Annotated[Period, Depends(read_period)]

_DAY: TypeAdapter[date] = TypeAdapter(Day)
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


def _day_or_moment(value: Any) -> date | datetime:
    is_day = isinstance(value, str) and len(value) == len("2026-03-01")
    try:
        return _DAY.validate_python(value) if is_day else _MOMENT.validate_python(value)
    except ValidationError:
        raise PydanticCustomError(
            "edge", "Write a date, 2026-03-01, or a time with an offset, 2026-03-01T08:00:00Z"
        ) from None


#: An edge of a period: a date, which begins at midnight in a zone that is given apart, or a moment.
Edge = Annotated[
    date | datetime,
    BeforeValidator(_day_or_moment),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "description": "A date, which begins at midnight in `zone`, or a time with an offset.",
        }
    ),
]

From = Annotated[Edge | None, Query(alias="from", description="From then on.")]
To = Annotated[Edge | None, Query(alias="to", description="Up to then, and not then.")]


def period(
    since: date | None, until: date | None, zone: str
) -> tuple[datetime | None, datetime | None]:
    """The moments from which and up to which a period goes.

    Raises:
        Invalid: it ends before it begins.
    """
    first, last = (_moment(edge, zone) for edge in (since, until))
    if first is not None and last is not None and last <= first:
        raise Invalid(field_errors={"to": ["Must be after from"]})
    return first, last


def _moment(edge: date | None, zone: str) -> datetime | None:
    if edge is None or isinstance(edge, datetime):
        return edge
    return datetime.combine(edge, time.min, ZoneInfo(zone))

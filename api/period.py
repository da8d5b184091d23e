"""Periods of days that a caller asks for: from the first, before the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends, Query

from api.schemas.trips import Day
from core.errors import Invalid


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

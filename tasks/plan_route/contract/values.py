"""The values that requests and plans of routes are made of: places, money, moments, zones."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

INFEASIBLE = "infeasible"
"""Error type of a wish that no plan can grant, seen without solving."""

# RFC 3339 section 5.6; the offset is checked by AwareDatetime, which names it in its message.
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?")
_YEARS = (1970, 2200)  # far from the ends of datetime, so that sums of durations stay inside it

Text = Annotated[
    str,
    # No control characters: PostgreSQL's jsonb refuses U+0000, and none belongs in a name.
    StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
]
Label = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
DecimalText = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,4})?$"),
    Field(description="A decimal number as a string.", examples=["14.5"]),
]


def _spelled_out(value: Any) -> Any:
    """Refuse numbers and other spellings that Pydantic would read as a moment."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.fullmatch(value)):
        return value
    raise PydanticCustomError(
        "datetime_format", "Write an RFC 3339 time with an offset: 2026-03-01T08:00:00+11:00"
    )


def _in_utc(value: datetime) -> datetime:
    first, last = _YEARS
    if not first <= value.year < last:
        raise PydanticCustomError(
            "datetime_range",
            "The year must be from {first} to {last}",
            {
                "first": first + 1,
                "last": last - 1,
            },
        )
    return value.astimezone(UTC)


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_spelled_out),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment given with any offset, kept in UTC."""


def _written_out(value: Any) -> Any:
    """Refuse numbers, which pydantic would read as seconds since 1970."""
    if isinstance(value, date) or (
        isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
    ):
        return value
    raise ValueError("must be a date: 2026-03-01")


def _of_our_time(value: date) -> date:
    if value.year not in range(*_YEARS):
        raise ValueError(f"the year must be from {_YEARS[0]} to {_YEARS[1] - 1}")
    return value


Day = Annotated[date, BeforeValidator(_written_out), AfterValidator(_of_our_time)]


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _known_zone(name: str) -> str:
    if not _is_zone(name):
        raise PydanticCustomError("zone_unknown", "No such zone in the IANA database")
    return name


Zone = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$"),
    AfterValidator(_known_zone),
    Field(description="IANA zone name.", examples=["Australia/Sydney"]),
]


class Model(BaseModel):
    """Base of all parts of the contract: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(Model):
    """A point on the map, WGS 84 degrees."""

    name: Text = ""
    lat: float = Field(strict=True, ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(strict=True, ge=-180, le=180, allow_inf_nan=False)


class Money(Model):
    """An amount of one currency."""

    amount: DecimalText
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        description="ISO 4217 code."
    )

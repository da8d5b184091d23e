"""Opening hours and the limits of a day, in weekdays and clock times as people write them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from tasks.plan_route.contract.values import Model, Text

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LEAST_DAY_MINUTES = 120
_DAY = "|".join(WEEKDAYS)
_PART = re.compile(rf"(?P<first>{_DAY})(\s*-\s*(?P<last>{_DAY}))?")


def weekdays(text: str) -> list[int]:
    """The weekdays of a text, 0 is Monday; ranges may run over the weekend: "fri-mon".

    Raises:
        PydanticCustomError: it is not a list of days and ranges of days.
    """
    if text.strip().lower() == "daily":
        return list(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise PydanticCustomError(
                "weekdays", 'Write days like "mon-fri", "sat,sun", "mon" or "daily"'
            )
        first = WEEKDAYS.index(match["first"])
        last = WEEKDAYS.index(match["last"] or match["first"])
        found |= {(first + i) % 7 for i in range((last - first) % 7 + 1)}
    return sorted(found)


def minutes(clock: str) -> int:
    """Minutes after midnight of "HH:MM"."""
    hour, minute = clock.split(":")
    return 60 * int(hour) + int(minute)


def _known_days(text: str) -> str:
    weekdays(text)
    return text


Weekdays = Annotated[
    Text,
    AfterValidator(_known_days),
    Field(
        description='Days and ranges of days: "mon-fri", "sat,sun", "fri-mon", or "daily".',
        examples=["mon-fri"],
    ),
]
ClockTime = Annotated[
    str,
    StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    Field(description="Local time.", examples=["09:00"]),
]
ClosingTime = Annotated[
    str,
    StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"),
    Field(description="Local time, up to 24:00.", examples=["17:00"]),
]


class Opening(Model):
    """Weekly opening hours in the local time of the stop; a visit starts within them.

    A `close` before `open` is on the day after. Days that no entry names are closed.
    """

    days: Weekdays
    open: ClockTime
    close: ClosingTime

    @field_validator("close")
    @classmethod
    def _not_open(cls, close: str, info: ValidationInfo) -> str:
        if close == info.data.get("open"):
            raise PydanticCustomError(
                "opening_empty", "It closes when it opens; around the clock is 00:00 to 24:00"
            )
        return close


class Limits(Model):
    """How much a day of the trip may hold; with limits the trip is split into days.

    Nobody drives over midnight. A night is spent at a stop with `overnight`, or at the
    start before leaving. Where none can be reached within a day, the day overruns by up to
    90 minutes if that is enough to get to the next place, else it ends by the road, and
    the plan says so under `violations`. Visits may take place at any hour.
    """

    driving_per_day_s: int | None = Field(None, strict=True, ge=600, description="null: any.")
    distance_per_day_m: int | None = Field(None, strict=True, ge=1000, description="null: any.")
    day_start: ClockTime | None = Field(
        None,
        description="Driving begins no earlier, by the clock of the place. null: the clock "
        "time of the departure, at the latest 08:00.",
    )
    day_end: ClosingTime | None = Field(
        None, description="Driving ends by the clock of the place. null: 24:00."
    )

    @field_validator("day_end")
    @classmethod
    def _long_enough(cls, day_end: str | None, info: ValidationInfo) -> str | None:
        start = info.data.get("day_start")
        end = 24 * 60 if day_end in ("00:00", "24:00", None) else minutes(day_end)
        if end - minutes(start or "00:00") < LEAST_DAY_MINUTES:
            raise PydanticCustomError(
                "day_too_short", "The day ends less than two hours after its start"
            )
        return day_end

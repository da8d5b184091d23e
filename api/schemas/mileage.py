"""Mileage: drives for a purpose, as they come in and go out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.merge import PatchOf
from api.schemas.base import Page
from api.schemas.fuel import NOTE_MAX, ODOMETER_MAX_M, Odometer
from api.schemas.trips import Day
from api.schemas.vehicles import utc
from services.vehicles.mileage import DriveView, MonthOfPurpose
from tasks.plan_route.contract.values import Model, Text

PurposeName = Literal["business", "private", "medical", "charity"]


class DriveNew(Model):
    """A drive: its odometer at start and end, or its distance."""

    driven_on: Day = Field(description="The date where it was driven.")
    purpose: PurposeName
    start_odometer_m: Odometer | None = Field(None, description="Whole metres.")
    end_odometer_m: Odometer | None = Field(None, validate_default=True)
    distance_m: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=ODOMETER_MAX_M,
        validate_default=True,
        description="Follows from the odometers where they are given, and agrees with them.",
    )
    from_place: Text = ""
    to_place: Text = ""
    note: str = Field("", max_length=NOTE_MAX)

    @field_validator("end_odometer_m")
    @classmethod
    def _further_on(cls, end: int | None, info: ValidationInfo) -> int | None:
        if "start_odometer_m" not in info.data:
            return end  # it is wrong itself
        start: int | None = info.data["start_odometer_m"]
        if (start is None) != (end is None):
            raise PydanticCustomError(
                "one_odometer", "Give start_odometer_m and end_odometer_m both, or neither"
            )
        if start is not None and end is not None and end <= start:
            raise PydanticCustomError("backwards", "Must be more than start_odometer_m")
        return end

    @field_validator("distance_m")
    @classmethod
    def _agrees(cls, distance: int | None, info: ValidationInfo) -> int | None:
        if not {"start_odometer_m", "end_odometer_m"} <= info.data.keys():
            return distance
        start, end = info.data["start_odometer_m"], info.data["end_odometer_m"]
        if start is None and distance is None:
            raise PydanticCustomError("missing", "Give the distance, or the odometers")
        if start is not None and distance not in (None, end - start):
            raise PydanticCustomError(
                "contradiction", "The odometers make {distance}", {"distance": end - start}
            )
        return distance

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        found = self.model_dump()
        if self.start_odometer_m is not None and self.end_odometer_m is not None:
            found["distance_m"] = self.end_odometer_m - self.start_odometer_m
        return found


DrivePatch = Annotated[dict[str, Any], PatchOf(DriveNew)]


class DriveRead(DriveNew):
    """A drive."""

    id: UUID
    vehicle_id: UUID
    distance_m: int
    created_at: datetime
    updated_at: datetime


def drive_shown(drive: DriveView) -> dict[str, Any]:
    """The fields of `DriveRead`."""
    return {
        "id": drive.id,
        "vehicle_id": drive.vehicle_id,
        **drive.columns(),
        "created_at": utc(drive.created_at),
        "updated_at": utc(drive.updated_at),
    }


class PurposeTotal(BaseModel):
    """All drives for a purpose."""

    purpose: PurposeName
    entries: int
    distance_m: int


class MonthTotal(PurposeTotal):
    """All drives of a month for a purpose."""

    month: date = Field(description="Its first day.")


class Totals(BaseModel):
    """Sums of all drives that the filters leave, on this page and on the others."""

    distance_m: int
    by_purpose: list[PurposeTotal]
    by_month: list[MonthTotal]


class DrivePage(Page[DriveRead]):
    """A page of drives, with the sums of all."""

    totals: Totals


def totals_shown(months: Sequence[MonthOfPurpose]) -> dict[str, Any]:
    """The fields of `Totals`."""
    by_purpose: dict[str, list[MonthOfPurpose]] = defaultdict(list)
    for each in months:
        by_purpose[each.purpose].append(each)
    return {
        "distance_m": sum(each.distance_m for each in months),
        "by_purpose": [
            {
                "purpose": purpose,
                "entries": sum(each.entries for each in own),
                "distance_m": sum(each.distance_m for each in own),
            }
            for purpose, own in sorted(by_purpose.items())
        ],
        "by_month": [
            {
                "month": each.month,
                "purpose": each.purpose,
                "entries": each.entries,
                "distance_m": each.distance_m,
            }
            for each in months
        ],
    }

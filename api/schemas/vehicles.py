"""Vehicles, as they come in and go out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.merge import PatchOf
from services.vehicles.views import VehicleView
from tasks.plan_route.contract.values import DecimalText, Model, Text

NOTES_MAX = 20_000
MILE_M = "1609.344"

KindName = Literal[
    "motorhome",
    "campervan",
    "caravan",
    "fifth_wheel",
    "camper_trailer",
    "car",
    "truck",
    "bus",
    "motorcycle",
    "other",
]
FuelName = Literal["petrol", "diesel", "lpg", "hybrid", "electric", "other"]
OdometerUnit = Literal["km", "mi"]

_DECIMALS = ("tank_l", "fuel_l_per_100km", "height_m", "length_m", "width_m")


class VehicleNew(Model):
    """A vehicle; only the name is needed to begin with."""

    name: Annotated[Text, StringConstraints(min_length=1, strip_whitespace=True)]
    kind: KindName = "other"
    make: Text | None = None
    model: Text | None = None
    year: int | None = Field(None, strict=True, ge=1885, le=2200)
    plate: Text | None = Field(None, description="Registration plate.")
    fuel_type: FuelName | None = Field(None, description="null: it has no engine of its own.")
    tank_l: DecimalText | None = None
    fuel_l_per_100km: DecimalText | None = Field(
        None, description="As its owner assumes it; what was measured: `GET …/economy`."
    )
    height_m: DecimalText | None = None
    length_m: DecimalText | None = None
    width_m: DecimalText | None = None
    weight_kg: int | None = Field(None, strict=True, ge=1, le=1_000_000)
    odometer_unit: OdometerUnit = Field(
        "km",
        description="How its odometer counts, for those who show it. The API counts in whole "
        f"metres throughout; a mile is {MILE_M} m, so tenths of a mile survive both ways.",
    )
    notes: str = Field("", max_length=NOTES_MAX)

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        found = self.model_dump(mode="json")
        exact = {name: Decimal(found[name]) for name in _DECIMALS if found[name] is not None}
        return {**found, **exact}


VehiclePatch = Annotated[dict[str, Any], PatchOf(VehicleNew)]


class VehicleRead(VehicleNew):
    """A vehicle."""

    id: UUID
    version: int = Field(
        description="Grows with every change of the vehicle, its fuel fills or its mileage; the "
        "ETag of all of them."
    )
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = Field(description="Only in a list of deleted vehicles.")


def vehicle_shown(vehicle: VehicleView) -> dict[str, Any]:
    """The fields of `VehicleRead`. What was valid once is shown as it was stored."""
    times = ("created_at", "updated_at", "deleted_at")
    return {
        "id": vehicle.id,
        **vehicle.written(),
        "version": vehicle.version,
        **{name: utc(getattr(vehicle, name)) for name in times},
    }


def utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)

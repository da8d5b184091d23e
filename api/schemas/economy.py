"""What a vehicle burns and costs, as it goes out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas.vehicles import utc
from core.money import round_money
from services.vehicles.economy import Economy, Stretch, consumption
from services.vehicles.views import as_json


class Consumption(BaseModel):
    """Fuel over a distance, each to two decimals."""

    l_per_100km: str
    km_per_l: str
    mpg_us: str = Field(description="Miles per US gallon.")
    mpg_imperial: str = Field(description="Miles per imperial gallon.")


class StretchRead(BaseModel):
    """From one full tank to the next."""

    fill_id: UUID = Field(description="The fill that ended it.")
    filled_at: datetime
    distance_m: int
    volume_l: str = Field(description="Of all fills since the full tank before.")
    fills: int = Field(description="How many they are; more than 1: some were partial.")
    consumption: Consumption


def stretch_shown(stretch: Stretch | None) -> dict[str, Any] | None:
    if stretch is None:
        return None
    return {
        "fill_id": stretch.end.id,
        "filled_at": utc(stretch.end.filled_at),
        "distance_m": stretch.distance_m,
        "volume_l": as_json(stretch.volume_l),
        "fills": len(stretch.fills),
        "consumption": consumption(stretch.volume_l, stretch.distance_m),
    }


class Sum(BaseModel):
    """A sum of one currency."""

    amount: str = Field(description="A decimal number as a string.", examples=["182.50"])
    currency: str = Field(description="ISO 4217 code.")


class Measured(BaseModel):
    """What the consumption of a period rests on."""

    stretches: int
    distance_m: int
    volume_l: str


class LastPrice(BaseModel):
    """What a litre cost last."""

    fill_id: UUID
    filled_at: datetime
    price_per_l: Sum


class EconomyRead(BaseModel):
    """A vehicle over a period. What was driven up to a fill belongs to the period of that fill,
    so that the months of a year add up to it."""

    since: datetime | None = Field(alias="from")
    until: datetime | None = Field(alias="to")
    fills: int
    unpriced_fills: int = Field(description="Those of which nobody knows what they cost.")
    distance_m: int = Field(description="By the odometer.")
    volume_l: str
    spent: list[Sum]
    measured: Measured = Field(description="The stretches from full tank to full tank.")
    consumption: Consumption | None = Field(description="Of all measured stretches together.")
    best: StretchRead | None
    worst: StretchRead | None
    cost_per_km: list[Sum] = Field(
        description="Per currency, to four decimals: what the fuel cost of the measured stretches "
        "whose fills all have a price, over their kilometres. In two currencies each has its part "
        "of all kilometres, so that they add up once they are converted."
    )
    last_price: LastPrice | None


def economy_shown(found: Economy, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """The fields of `EconomyRead`."""
    measured_l, last = found.measured_l, found.last_price
    return {
        "from": utc(since),
        "to": utc(until),
        "fills": found.fills,
        "unpriced_fills": found.unpriced,
        "distance_m": found.distance_m,
        "volume_l": as_json(found.volume_l),
        "spent": [
            {"amount": as_json(round_money(total, name)), "currency": name}
            for name, total in found.spent.items()
        ],
        "measured": {
            "stretches": len(found.measured),
            "distance_m": found.measured_m,
            "volume_l": as_json(measured_l),
        },
        "consumption": consumption(measured_l, found.measured_m),
        "best": stretch_shown(found.best),
        "worst": stretch_shown(found.worst),
        "cost_per_km": [
            {"amount": as_json(cost), "currency": name} for name, cost in found.cost_per_km.items()
        ],
        "last_price": last
        and {
            "fill_id": last.id,
            "filled_at": utc(last.filled_at),
            "price_per_l": {"amount": as_json(last.price_per_l), "currency": last.currency},
        },
    }

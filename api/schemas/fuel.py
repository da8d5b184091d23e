"""Fuel fills, as they come in and go out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.merge import PatchOf
from api.schemas.economy import StretchRead, stretch_shown
from api.schemas.vehicles import utc
from core.money import EXPONENTS, exponent_of, has_too_many_decimals
from services.vehicles.economy import Stretch
from services.vehicles.fill_views import FillView
from services.vehicles.prices import Contradiction, Prices, settle
from tasks.plan_route.contract.values import DecimalText, Model, Moment, Money, Place, Text

NOTE_MAX = 2_000
#: Ten million kilometres.
ODOMETER_MAX_M = 10_000_000_000
VOLUME_MAX_L = 10_000


def _of_a_tank(volume: str) -> str:
    if not 0 < Decimal(volume) <= VOLUME_MAX_L:
        raise PydanticCustomError("volume", "Must be more than 0 and at most 10000")
    return volume


def _known_currency(money: Money) -> Money:
    if money.currency not in EXPONENTS:
        raise PydanticCustomError("currency_unknown", "No such currency in ISO 4217")
    return money


Volume = Annotated[DecimalText, AfterValidator(_of_a_tank)]
Price = Annotated[Money, AfterValidator(_known_currency)]
Odometer = Annotated[int, Field(strict=True, ge=0, le=ODOMETER_MAX_M)]


class FillNew(Model):
    """Fuel that went into a vehicle."""

    filled_at: Moment
    odometer_m: Odometer = Field(
        description="What the odometer showed, in whole metres; a mile is 1609.344 m. It does not "
        "run backwards from one fill to the next in time, unless `odometer_reset`."
    )
    odometer_reset: bool = Field(
        False, strict=True, description="It began anew since the fill before: a new instrument."
    )
    volume_l: Volume
    price_per_l: Price | None = None
    total: Price | None = Field(
        None,
        validate_default=True,
        description="`price_per_l` and `total` give each other. Where both are sent they agree to "
        "a cent (one unit of the currency's last decimal), or they are refused.",
    )
    full: bool = Field(True, strict=True, description="false: a partial fill.")
    missed_before: bool = Field(
        False, strict=True, description="A fill before this one was not written down."
    )
    station: Text = ""
    place: Place | None = None
    trip_id: UUID | None = None
    note: str = Field("", max_length=NOTE_MAX)

    @field_validator("total")
    @classmethod
    def _adds_up(cls, total: Money | None, info: ValidationInfo) -> Money | None:
        if not {"volume_l", "price_per_l"} <= info.data.keys():
            return total  # one of them is wrong itself
        price: Money | None = info.data["price_per_l"]
        if total is not None and has_too_many_decimals(Decimal(total.amount), total.currency):
            raise PydanticCustomError(
                "too_many_decimals",
                "An amount of {currency} has at most {most} decimals",
                {"currency": total.currency, "most": exponent_of(total.currency)},
            )
        if price is not None and total is not None and price.currency != total.currency:
            raise PydanticCustomError("two_currencies", "Must be of the currency of price_per_l")
        try:
            _settled(info.data["volume_l"], price, total)
        except Contradiction as contradiction:
            message = "Does not go with the rest: {why}"
            raise PydanticCustomError(
                "contradiction", message, {"why": str(contradiction)}
            ) from None
        return total

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        prices = _settled(self.volume_l, self.price_per_l, self.total)
        money = self.price_per_l or self.total
        return {
            **self.model_dump(exclude={"volume_l", "price_per_l", "total"}),
            "volume_l": Decimal(self.volume_l),
            "price_per_l": prices and prices.price_per_l,
            "total": prices and prices.total,
            "currency": money and money.currency,
            "priced_by": prices and prices.priced_by.value,
        }


def _settled(volume: str, price: Money | None, total: Money | None) -> Prices | None:
    """
    Raises:
        Contradiction
    """
    money = price or total
    if money is None:
        return None
    each, whole = (None if given is None else Decimal(given.amount) for given in (price, total))
    return settle(Decimal(volume), each, whole, money.currency)


FillPatch = Annotated[dict[str, Any], PatchOf(FillNew)]


class FillRead(FillNew):
    """Fuel that went into a vehicle; price and total both, where one is known."""

    id: UUID
    vehicle_id: UUID
    distance_m: int | None = Field(
        description="Since the fill before; null: there is none, or the odometer was reset."
    )
    economy: StretchRead | None = Field(
        description="Of the stretch that this fill ended; null: it is partial, or no full tank "
        "stands before it in an unbroken chain, or nothing was driven."
    )
    created_at: datetime
    updated_at: datetime


def fill_shown(
    fill: FillView, driven: dict[UUID, int], ended: dict[UUID, Stretch]
) -> dict[str, Any]:
    """The fields of `FillRead`.

    Args:
        driven: metres since the fill before, by fill.
        ended: the stretch that a fill ended, by fill.
    """
    return {
        "id": fill.id,
        "vehicle_id": fill.vehicle_id,
        **fill.written(),
        "price_per_l": fill.money("price_per_l"),
        "total": fill.money("total"),
        "filled_at": utc(fill.filled_at),
        "distance_m": driven.get(fill.id),
        "economy": stretch_shown(ended.get(fill.id)),
        "created_at": utc(fill.created_at),
        "updated_at": utc(fill.updated_at),
    }

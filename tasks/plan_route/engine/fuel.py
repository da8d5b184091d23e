"""What a plan burns and costs, and what its traveller should know about the vehicle."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tasks.plan_route.contract.request import RouteRequest, Vehicle
from tasks.plan_route.contract.result import Leg, Notice
from tasks.plan_route.contract.values import Money

CENT = Decimal("0.01")


def use(vehicle: Vehicle, distance_m: int) -> tuple[str | None, Money | None]:
    """Litres and cost of a distance, to two decimals; None for what the vehicle leaves open."""
    if vehicle.fuel_l_per_100km is None:
        return None, None
    litres = Decimal(vehicle.fuel_l_per_100km) * distance_m / 100_000
    price, cost = vehicle.fuel_price, None
    if price is not None:
        amount = (litres * Decimal(price.amount)).quantize(CENT)
        cost = Money(amount=str(amount), currency=price.currency)
    return str(litres.quantize(CENT)), cost


def notices(request: RouteRequest, legs: Sequence[Leg]) -> list[Notice]:
    """Warnings about fields that a plan cannot fully honour, and about its range."""
    found = []
    vehicle = request.vehicle
    if vehicle.height_m is not None:
        found.append(("CLEARANCES_NOT_CHECKED", "Low bridges and tunnels were not looked at."))
    if vehicle.speed_factor != 1 and request.matrix is not None:
        found.append(("SPEED_FACTOR_NOT_APPLIED", "The durations of the own matrix were kept."))
    if request.limits is None and any(stop.night_cost for stop in request.stops):
        found.append(("NO_NIGHTS_PLANNED", "Without limits no nights are planned or paid for."))
    beyond = _beyond_range(vehicle, legs)
    if beyond:
        names = ", ".join(f"{leg.from_} to {leg.to}" for leg in beyond[:5])
        found.append(("LEG_BEYOND_RANGE", f"Longer than a full tank lasts: {names}."))
    return [Notice(code=code, detail=detail) for code, detail in found]


def _beyond_range(vehicle: Vehicle, legs: Sequence[Leg]) -> list[Leg]:
    if vehicle.tank_l is None or vehicle.fuel_l_per_100km is None:
        return []
    burn = Decimal(vehicle.fuel_l_per_100km)
    return [leg for leg in legs if burn * leg.distance_m / 100_000 > Decimal(vehicle.tank_l)]

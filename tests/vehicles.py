"""Vehicles for tests, over HTTP: `vehicles = Vehicles(user)`, then one with a log in one call."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.conftest import User

VEHICLES = "/api/v1/vehicles"
Json = dict[str, Any]


class Vehicles:
    """A user's vehicles."""

    def __init__(self, user: User) -> None:
        self.http = user.http

    async def make(self, **fields: Any) -> str:
        """The id of a vehicle."""
        answer = await self.http.post(VEHICLES, json={"name": "Bertha", **fields})
        assert answer.status_code == 201, answer.text
        vehicle_id: str = answer.json()["data"]["id"]
        return vehicle_id

    async def fill(self, vehicle_id: str, day: str, km: float, litres: str, **more: Any) -> Json:
        """A fill, full unless said otherwise, as it was answered.

        Args:
            day: of March 2026, or a whole moment.
        """
        answer = await self.try_fill(vehicle_id, day, km, litres, **more)
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()["data"]
        return found

    async def try_fill(
        self, vehicle_id: str, day: str, km: float, litres: str, **more: Any
    ) -> httpx2.Response:
        return await self.http.post(
            f"{VEHICLES}/{vehicle_id}/fuel-fills", json=a_fill(day, km, litres, **more)
        )

    async def economy(self, vehicle_id: str, query: str = "") -> Json:
        answer = await self.http.get(f"{VEHICLES}/{vehicle_id}/economy{query}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["data"]
        return found

    async def drive(self, vehicle_id: str, **fields: Any) -> Json:
        """A mileage entry as it was answered."""
        path = f"{VEHICLES}/{vehicle_id}/mileage"
        answer = await self.http.post(path, json=a_drive(**fields))
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()["data"]
        return found


def a_drive(**fields: Any) -> Json:
    """A drive of 12 km for business, unless said otherwise."""
    return {"driven_on": "2026-03-01", "distance_m": 12_000, "purpose": "business", **fields}


def a_fill(day: str = "1", km: float = 100, litres: str = "50", **more: Any) -> Json:
    at = f"2026-03-{int(day):02}T08:00:00Z" if day.isdecimal() else day
    return {"filled_at": at, "odometer_m": int(km * 1000), "volume_l": litres, **more}


def aud(amount: str) -> Json:
    return {"amount": amount, "currency": "AUD"}

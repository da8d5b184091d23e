"""Vehicles for tests, over HTTP: `vehicles = Vehicles(user)`, then one with a log in one call."""

from __future__ import annotations

from typing import Any

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

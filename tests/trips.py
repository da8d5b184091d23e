"""Trips for tests, over HTTP: `trips = Trips(user)`, then trips with stops in one call."""

from __future__ import annotations

from typing import Any

from tests.conftest import User

TRIPS = "/api/v1/trips"
SYDNEY = {"name": "Sydney", "lat": -33.87, "lon": 151.21}
#: Along the coast, northwards: whoever plans them well goes there and back.
COAST = {
    "Gosford": (-33.43, 151.34),
    "Newcastle": (-32.93, 151.78),
    "Taree": (-31.91, 152.46),
    "Kempsey": (-31.08, 152.83),
    "Coffs Harbour": (-30.30, 153.12),
}


def stop(name: str = "Gosford", **more: Any) -> dict[str, Any]:
    lat, lon = COAST.get(name, (-33.0, 151.0))
    return {"name": name, "lat": lat, "lon": lon, **more}


class Trips:
    """A user's trips."""

    def __init__(self, user: User) -> None:
        self.http = user.http

    async def make(self, *stops: str, **fields: Any) -> str:
        """The id of a trip with stops of these names."""
        answer = await self.http.post(TRIPS, json={"title": "Up the coast", **fields})
        assert answer.status_code == 201, answer.text
        trip_id: str = answer.json()["data"]["id"]
        if stops:
            await self.add(trip_id, *stops)
        return trip_id

    async def make_plannable(self, *stops: str, **fields: Any) -> str:
        return await self.make(*stops, start=SYDNEY, starts_on="2026-03-01", **fields)

    async def add(self, trip_id: str, *names: str, **more: Any) -> list[dict[str, Any]]:
        body = {"stops": [stop(name) for name in names], **more}
        answer = await self.http.post(f"{TRIPS}/{trip_id}/stops/bulk", json=body)
        assert answer.status_code == 201, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    async def read(self, trip_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"{TRIPS}/{trip_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    async def stops(self, trip_id: str) -> list[dict[str, Any]]:
        """In order; their positions are gap-free, or this fails."""
        answer = await self.http.get(f"{TRIPS}/{trip_id}/stops?page_size=200")
        found: list[dict[str, Any]] = answer.json()["data"]
        positions = [each["position"] for each in found]
        assert positions == list(range(1, answer.json()["total"] + 1))
        return found

    async def names(self, trip_id: str) -> list[str]:
        return [each["name"] for each in await self.stops(trip_id)]

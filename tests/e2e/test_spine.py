"""The walk of one job: posted, streamed, polled, read; with a real worker."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from tests.conftest import User
from tests.stack import Child

TRIP = {
    "start": {"name": "Sydney", "lat": -33.8688, "lon": 151.2093},
    "end": "start",
    "stops": [
        {"id": f"s{n}", "name": f"Stop {n}", "lat": -33.0 - n * 0.37 % 3, "lon": 148 + n * 0.71 % 4}
        for n in range(14)
    ],
    "depart_at": "2026-03-01T08:00:00+11:00",
    "budget_s": 1.0,
    "tags": ["trip:demo"],
}


async def frames(http: httpx2.AsyncClient, path: str, **kwargs: Any) -> list[dict[str, Any]]:
    """All frames of a stream, to its end."""
    found: list[dict[str, Any]] = []
    async with http.stream("GET", path, **kwargs) as answer:
        assert answer.status_code == 200, await answer.aread()
        frame: dict[str, Any] = {}
        async for line in answer.aiter_lines():
            if not line and frame:
                found.append(frame)
                frame = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                frame[name] = json.loads(value) if name == "data" else value
    return found


class TestOneJob:
    async def test_its_stream_tells_the_whole_story(
        self, user: User, compute_worker: Child
    ) -> None:
        answer = await user.http.post("/api/v1/routes", json=TRIP)
        assert answer.status_code == 202, answer.text
        job = answer.json()["data"]
        assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
        assert job["status"] == "queued"

        seen = await frames(user.http, job["links"]["events"])

        assert seen[0]["event"] == "job.snapshot"
        assert "id" not in seen[0]
        numbered = [frame for frame in seen if "id" in frame]
        assert [int(frame["id"]) for frame in numbered] == list(range(1, len(numbered) + 1))
        assert numbered[0]["event"] == "job.queued"
        assert numbered[-1]["event"] == "job.succeeded"
        assert numbered[-1]["data"]["job"]["result"]["visits"]

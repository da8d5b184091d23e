"""The map of a planned route as a file: announced on the stream, listed by the job, fetched."""

from __future__ import annotations

import hashlib

from tests.conftest import User
from tests.e2e.test_spine import TRIP, frames
from tests.stack import Child


class TestTheMapOfARoute:
    async def test_is_the_one_of_the_result(self, user: User, compute_worker: Child) -> None:
        answer = await user.http.post("/api/v1/routes", json=TRIP)
        seen = await frames(user.http, answer.json()["data"]["links"]["events"])
        job = seen[-1]["data"]["job"]
        (artifact,) = job["artifacts"]
        assert artifact["name"] == "route.geojson"
        assert artifact["media_type"] == "application/geo+json"
        assert artifact["expires_at"] == job["expires_at"]
        (told,) = [frame["data"] for frame in seen if frame.get("event") == "job.artifact"]
        assert told["artifact"] == {**artifact, "expires_at": None}
        assert told["job_id"] == job["id"]

        file = await user.http.get(artifact["url"])
        assert file.headers["content-type"] == "application/geo+json"
        assert hashlib.sha256(file.content).hexdigest() == artifact["sha256"]
        assert file.json() == job["result"]["geojson"]
        assert file.json()["type"] == "FeatureCollection"

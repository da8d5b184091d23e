"""A client of the API under faults: retries like a phone on a campsite, and remembers promises."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx2

TRIP: dict[str, Any] = {
    "start": {"name": "Here", "lat": -33.87, "lon": 151.21},
    "end": "start",
    "stops": [
        {"id": "a", "name": "A", "lat": -34.42, "lon": 150.89},
        {"id": "b", "name": "B", "lat": -35.28, "lon": 149.13},
        {"id": "c", "name": "C", "lat": -32.93, "lon": 151.78},
    ],
    "depart_at": "2026-03-01T08:00:00+11:00",
    "budget_s": 0.2,
}


class Client:
    """One signed-up user."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, timeout=15)
        email = f"{uuid4()}@example.com"
        answer = self.http.post(
            "/api/v1/auth/signup", json={"email": email, "password": "a long password"}
        )
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        self.user_id = UUID(data["user"]["id"])
        self.http.headers["Authorization"] = f"Bearer {data['access_token']}"
        #: Every job that was answered with 202.
        self.accepted: list[UUID] = []
        #: Statuses and transport errors of answers other than 202.
        self.refusals: list[str] = []

    def submit(self, body: dict[str, Any] = TRIP, **headers: str) -> UUID:
        answer = self.http.post("/api/v1/routes", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        job_id = UUID(answer.json()["data"]["id"])
        self.accepted.append(job_id)
        return job_id

    def timed_submits(self, count: int) -> list[float]:
        """Seconds that each of `count` submits took."""
        taken = []
        for _ in range(count):
            began = time.monotonic()
            self.submit()
            taken.append(time.monotonic() - began)
        return taken

    def _insist(self, key: str) -> None:
        """Submit until accepted, with one key, as a careful client does."""
        for _ in range(200):
            try:
                answer = self.http.post(
                    "/api/v1/routes", json=TRIP, headers={"Idempotency-Key": key}
                )
                if answer.status_code == 202:
                    self.accepted.append(UUID(answer.json()["data"]["id"]))
                    return
                self.refusals.append(str(answer.status_code))
            except httpx2.HTTPError as error:
                self.refusals.append(type(error).__name__)
            time.sleep(0.1)
        raise AssertionError(f"never accepted: {self.refusals[-5:]}")

    @contextmanager
    def load(self, per_s: float = 10) -> Iterator[None]:
        """Keep submitting while the block runs."""
        stop = threading.Event()

        def work() -> None:
            for number in itertools.count():
                if stop.wait(1 / per_s):
                    return
                self._insist(f"{number}-{uuid4()}")

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(60)

    def follow(self, job_id: UUID, within_s: float = 60) -> list[tuple[dict[str, Any], float]]:
        """The numbered events of a job with the time of their arrival, over reconnects."""
        seen: list[tuple[dict[str, Any], float]] = []
        give_up_at = time.monotonic() + within_s
        while time.monotonic() < give_up_at:
            headers = {"Last-Event-ID": str(seen[-1][0]["seq"])} if seen else {}
            try:
                with self.http.stream(
                    "GET", f"/api/v1/jobs/{job_id}/events", headers=headers
                ) as answer:
                    if answer.status_code == 204:
                        return seen
                    self._read(answer, seen)
            except httpx2.HTTPError:
                time.sleep(0.1)
        raise AssertionError(f"no end of {job_id} within {within_s} s")

    @staticmethod
    def _read(answer: httpx2.Response, seen: list[tuple[dict[str, Any], float]]) -> None:
        numbered = False
        data = ""
        for line in answer.iter_lines():
            if line.startswith("id:"):
                numbered = True
            elif line.startswith("data:"):
                data = line[5:]
            elif not line:
                if numbered:
                    seen.append((json.loads(data), time.time()))
                numbered, data = False, ""

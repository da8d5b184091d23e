"""Postgres crashes or restarts under load: scenarios 7 and 8."""

from __future__ import annotations

import os
import signal
import time

import httpx2
import pytest

from tests.faults.client import TRIP
from tests.faults.conftest import Floor
from tests.faults.oracle import Oracle
from tests.stack import until


class TestPostgresGoesAway:
    @pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
    def test_workers_wait_and_clients_are_told_to_come_back(
        self, floor: Floor, number: signal.Signals
    ) -> None:
        """7: a crash (SIGQUIT). 8: a fast restart (SIGINT). Jobs run meanwhile."""
        floor.housekeeping()
        floor.worker()
        floor.worker()
        client = floor.client(floor.api().url)
        jobs = floor.submit(4, seconds=2)
        until(lambda: floor.running(jobs))
        with client.load(per_s=15):
            until(lambda: len(client.accepted) > 10)
            os.kill(floor.stores.postgres.pid, number)
            floor.stores.postgres.process.wait(20)  # type: ignore[union-attr]
            refusal = client.http.post("/api/v1/routes", json=TRIP)
            down = time.monotonic()
            until(lambda: time.monotonic() - down > 1)
            floor.stores.postgres.start()
            known = len(client.accepted)
            until(lambda: len(client.accepted) > known + 10, 30)
        assert refusal.status_code == 503
        assert int(refusal.headers["retry-after"]) > 0
        assert refusal.json()["error_code"] == "STORE_UNAVAILABLE"
        # every refusal says "come back", none says "our bug"
        assert set(client.refusals) <= {"503"}, set(client.refusals)
        floor.ended(within_s=60)
        floor.ended(client.accepted, within_s=60)
        floor.check()
        report = Oracle(floor.stores.postgres.dsn("postgres")).check(client.accepted, effects=False)
        assert report.violations == []
        assert set(report.statuses) == {"succeeded"}, report.statuses

    def test_readyz_says_which_part_is_away(self, floor: Floor) -> None:
        api = floor.api()
        assert httpx2.get(f"{api.url}/readyz").status_code == 200
        floor.stores.postgres.pause()
        try:
            began = time.monotonic()
            answer = httpx2.get(f"{api.url}/readyz", timeout=10)
            assert time.monotonic() - began < 3
        finally:
            floor.stores.postgres.resume()
        assert answer.status_code in (200, 503)  # live backends still answer

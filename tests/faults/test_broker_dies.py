"""The broker is killed, emptied or frozen: scenarios 3, 4 and 5."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
import redis

from tests.faults.conftest import Floor
from tests.faults.oracle import Oracle
from tests.stack import until


class TestTheBrokerIsKilled:
    @pytest.mark.parametrize("away_s", [1, 12])
    def test_nothing_is_lost_and_workers_stay(self, floor: Floor, away_s: float) -> None:
        """3: kill -9 under running jobs; submits go on meanwhile."""
        floor.housekeeping()
        workers = [floor.worker(), floor.worker()]
        client = floor.client(floor.api().url)
        before = floor.submit(6, seconds=1)
        until(lambda: floor.running(before[:4]))
        floor.stores.valkey.kill()
        gone = time.monotonic()
        during = [client.submit() for _ in range(5)]
        until(lambda: time.monotonic() - gone > away_s, away_s + 1)
        floor.stores.valkey.start()
        floor.ended(within_s=40)
        floor.ended(during, within_s=40)
        floor.check()
        # early acks: no worker dies of a broker's death (docs/decisions/0001)
        assert all(worker.process.poll() is None for worker in workers)


class TestTheBrokerForgets:
    def test_flushall_with_200_jobs_loses_none(self, floor: Floor) -> None:
        """4: queued and running jobs alike."""
        floor.housekeeping()
        floor.worker(slots=4)
        jobs = floor.submit(200, seconds=0.15)
        until(lambda: floor.stores.one("SELECT count(*) FROM jobs WHERE status = 'running'") >= 2)
        redis.Redis.from_url(floor.stores.valkey.url()).flushall()
        floor.ended(jobs, within_s=60)
        floor.check()

    def test_the_oracle_sees_the_loss_when_nobody_repairs(self, floor: Floor) -> None:
        """Without housekeeping a forgotten message is a lost job; the checker must say so."""
        jobs = floor.submit(3, seconds=0.1)
        floor.publish()
        redis.Redis.from_url(floor.stores.valkey.url()).flushall()
        floor.worker()
        (canary,) = floor.submit(seconds=0.1)
        floor.publish()
        floor.ended([canary])
        report = Oracle(floor.stores.postgres.dsn("postgres")).check(jobs)
        assert len(report.violations) >= 1
        assert any("still queued" in violation for violation in report.violations)


@contextmanager
def _frozen(floor: Floor) -> Iterator[None]:
    floor.stores.valkey.pause()
    try:
        yield
    finally:
        floor.stores.valkey.resume()


class TestTheBrokerIsFrozen:
    def test_submits_keep_their_speed_and_streams_come_at_most_two_seconds_late(
        self, floor: Floor
    ) -> None:
        """5: SIGSTOP; connections stay open and nothing answers."""
        floor.housekeeping()
        floor.worker()
        client = floor.client(floor.api().url)
        client.timed_submits(10)
        # by turns, for whatever else runs on these cores comes and goes
        usual, frozen = list[float](), list[float]()
        for _ in range(5):
            usual += client.timed_submits(12)
            with _frozen(floor):
                frozen += client.timed_submits(12)
        (job_id,) = floor.submit(seconds=4, step_s=0.5, owner=client.user_id)
        until(lambda: floor.running([job_id]))
        with _frozen(floor):
            seen = client.follow(job_id)
        late = [
            arrived - datetime.fromisoformat(event["at"]).timestamp()
            for event, arrived in seen[-3:]
        ]
        assert seen[-1][0]["job"]["status"] == "succeeded"
        assert max(late) < 2, late
        # two shared cores: the median is steady, single answers are not
        well, ill = statistics.median(usual), statistics.median(frozen)
        assert ill < max(well * 1.5, well + 0.01), (well, ill)
        floor.ended(client.accepted)

"""The API or the lifeline dies between its writes: scenarios 12, 13 and 21."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2

from tests.faults.conftest import Floor
from tests.faults.oracle import Oracle
from tests.stack import until


class TestTheApiIsKilled:
    def test_between_commit_and_publish(self, floor: Floor) -> None:
        """12: the frozen broker holds the publisher up; kill -9 then takes it away."""
        api = floor.api()
        client = floor.client(api.url)
        floor.stores.valkey.pause()
        try:
            job_id = client.submit()
            api.kill()
        finally:
            floor.stores.valkey.resume()
        floor.worker()
        floor.housekeeping()
        floor.ended([job_id])
        report = Oracle(floor.stores.postgres.dsn("postgres")).check([job_id], effects=False)
        assert report.violations == []

    def test_with_open_streams_whose_clients_come_back(self, floor: Floor) -> None:
        """21 (small): restart with followers; each sees every event once, in order."""
        floor.housekeeping()
        floor.worker(slots=4)
        api = floor.api()
        client = floor.client(api.url)
        jobs = floor.submit(4, seconds=5, step_s=0.3, owner=client.user_id)
        until(lambda: floor.running(jobs))
        with ThreadPoolExecutor(40) as pool:
            following = [pool.submit(client.follow, job) for job in jobs for _ in range(10)]
            until(lambda: floor.stores.one("SELECT max(seq) FROM jobs") > 4)
            api.restart()
            api.ready()
            stories = [one.result(60) for one in following]
        for story in stories:
            numbers = [event["seq"] for event, _ in story]
            assert numbers == list(range(1, len(numbers) + 1))
            assert story[-1][0]["job"]["status"] == "succeeded"
        floor.check()


class TestTheLifelineIsKilled:
    def test_again_and_again_while_it_publishes(self, floor: Floor) -> None:
        """13: a message may go out twice; its effect does not."""
        floor.worker(slots=2)
        stop = threading.Event()
        keeper = floor.housekeeping()

        def harass() -> None:
            for lives in itertools.count(1):
                until(lambda n=lives: keeper.output().count('"housekeeping_started"') == n, 60)  # type: ignore[misc]
                # in its first rounds, or between them
                if stop.wait(random.uniform(1.0, 2.0)):
                    return
                keeper.restart()

        thread = threading.Thread(target=harass)
        thread.start()
        try:
            floor.submit(60, seconds=0.05)
            # every admission is forgotten once: all messages are sent twice
            with floor.stores.sql() as connection:
                until(lambda: floor.stores.one("SELECT count(admitted_at) FROM jobs") > 0, 60)
                connection.execute("UPDATE jobs SET admitted_at = NULL WHERE status = 'queued'")
            floor.ended(within_s=60)
        finally:
            stop.set()
            thread.join()
        floor.check()


class TestTwoApis:
    def test_a_job_of_one_is_followed_at_the_other(self, floor: Floor) -> None:
        floor.housekeeping()
        floor.worker()
        first, second = floor.api(), floor.api()
        client = floor.client(first.url)
        job_id = client.submit()
        token = client.http.headers["Authorization"]
        with httpx2.stream(
            "GET",
            f"{second.url}/api/v1/jobs/{job_id}/events",
            headers={"Authorization": token},
            timeout=30,
        ) as answer:
            names = [line[7:] for line in answer.iter_lines() if line.startswith("event: ")]
        assert names[0] == "job.snapshot"
        assert names[-1] == "job.succeeded"

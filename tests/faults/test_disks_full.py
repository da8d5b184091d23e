"""A store has no room left: scenarios 6 and 9."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
import redis

from tests.faults.client import TRIP, Client
from tests.faults.conftest import Floor
from tests.faults.oracle import Oracle
from tests.stack import until


def served(floor: Floor, client: Client) -> None:
    """Everything that the client was promised has been done."""
    floor.ended(client.accepted)
    report = Oracle(floor.stores.postgres.dsn("postgres")).check(client.accepted, effects=False)
    assert report.violations == []
    assert set(report.statuses) == {"succeeded"}, report.statuses


@contextmanager
def broker_refuses_writes(floor: Floor) -> Iterator[None]:
    """What a full disk looks like from outside: it cannot save, so it refuses (MISCONF)."""
    data = floor.stores.valkey.data
    with redis.Redis.from_url(floor.stores.valkey.url()) as broker:
        mode = data.stat().st_mode
        broker.config_set("save", "3600 1")
        data.chmod(0o555)
        try:
            broker.bgsave()
            until(lambda: broker.info("persistence")["rdb_last_bgsave_status"] == "err")
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                broker.set("anything", 1)
            yield
        finally:
            data.chmod(mode)
            broker.bgsave()
            until(lambda: broker.info("persistence")["rdb_last_bgsave_status"] == "ok")
            broker.config_set("save", "")


class TestTheBrokersDisk:
    def test_work_is_accepted_and_done_once_there_is_room(self, floor: Floor) -> None:
        """6: every write is refused, even PING; nothing that was accepted is lost."""
        floor.housekeeping()
        worker = floor.worker()
        api = floor.api()
        client = floor.client(api.url)
        (long,) = floor.submit(seconds=3)
        until(lambda: floor.running([long]))
        with broker_refuses_writes(floor):
            client.timed_submits(10)
            # it has asked the broker, and was refused, and goes on with what it runs
            until(lambda: "MISCONF" in worker.output())
            floor.ended([long])
            ready = httpx2.get(f"{api.url}/readyz", timeout=10)
            waiting = floor.stores.one("SELECT count(*) FROM jobs WHERE status = 'queued'")
        assert ready.status_code == 503
        assert ready.json()["parts"] == {
            "database": "ok",
            "migrations": "ok",
            "broker": "unreachable",
        }
        assert waiting == 10
        served(floor, client)
        assert worker.process.poll() is None
        floor.check()
        assert httpx2.get(f"{api.url}/readyz", timeout=10).status_code == 200


@pytest.fixture
def small_disk(floor: Floor) -> Iterator[Path]:
    """The inputs of jobs lie on a disk of four megabytes, where the test may mount one."""
    postgres = floor.stores.postgres
    place = postgres.folder / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        place.rmdir()
        pytest.skip("a disk of its own can be mounted by root only")
    home = place / "tables"
    home.mkdir()
    if postgres.account is not None:
        subprocess.run(["chown", str(postgres.account.uid), str(home)], check=True)
    try:
        with floor.stores.sql() as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{home}'")
            connection.execute("ALTER TABLE job_payloads SET TABLESPACE small")
        yield place
        with floor.stores.sql() as connection:
            connection.execute("ALTER TABLE job_payloads SET TABLESPACE pg_default")
            connection.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Leave not one page on the disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


class TestPostgresDisk:
    def test_submits_are_refused_with_503_until_there_is_room(
        self, floor: Floor, small_disk: Path
    ) -> None:
        """9: SQLSTATE 53100; what was accepted before is kept, what was refused left nothing."""
        client = floor.client(floor.api().url)
        client.timed_submits(3)
        filler = small_disk / "filler"
        fill(filler)

        def refused() -> httpx2.Response | None:
            answer = client.http.post("/api/v1/routes", json=TRIP)
            if answer.status_code == 202:
                client.accepted.append(UUID(answer.json()["data"]["id"]))
                return None
            return answer

        refusal = until(refused)
        assert refusal.status_code == 503
        assert refusal.json()["error_code"] == "STORE_UNAVAILABLE"
        assert int(refusal.headers["retry-after"]) > 0
        assert "No space" not in refusal.text
        assert floor.stores.one("SELECT count(*) FROM jobs") == len(client.accepted)
        filler.unlink()
        client.submit()
        floor.housekeeping()
        floor.worker()
        served(floor, client)

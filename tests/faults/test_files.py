"""Workers die while they add a file: whatever happens, the job shows it once and it is whole."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.settings import get_settings
from services.artifacts.store import SHARDS, open_store
from services.jobs import views
from tests.faults.conftest import Floor
from tests.faults.kinds import SCRIBE
from workers.sweeping import Sweeper


def shown(floor: Floor, job_id: UUID) -> list[dict[str, Any]]:
    return floor.lab.as_owner(floor.owner, views.read(floor.owner, job_id)).artifacts


def told(floor: Floor, job_id: UUID) -> list[str]:
    """Ids in the `job.artifact` events, in order."""
    with floor.stores.sql() as connection:
        rows = connection.execute(
            "SELECT data -> 'artifact' ->> 'id' FROM job_events"
            " WHERE job_id = %s AND type = 'job.artifact' ORDER BY seq",
            (job_id,),
        )
        return [row[0] for row in rows]


def stored(floor: Floor) -> dict[str, bytes]:
    """All bytes in the folder, by key."""
    root = Path(get_settings().data_dir) / "artifacts"
    files = [path for path in root.glob("??/*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def sweep_in_two_hours(floor: Floor) -> None:
    """The sweep over everything, as if all bytes had lain there for two hours."""
    root = Path(get_settings().data_dir) / "artifacts"
    for key in stored(floor):
        os.utime(root / key, (time.time() - 7200,) * 2)
    settings = get_settings()
    sweeper = Sweeper(settings, threading.Event(), open_store(settings))
    sweeper.round(len(SHARDS))
    sweeper.close()


@pytest.fixture(autouse=True)
def no_bytes(floor: Floor) -> None:
    """The folder is shared by the tests of this module."""
    sweep_in_two_hours(floor)
    assert stored(floor) == {}


class TestAWorkerThatAddsAFile:
    @pytest.mark.parametrize(
        ("fault", "events", "left"),
        [
            ("killed_before_row", 1, 2),
            ("killed_after_row", 2, 2),
            ("error_after_row", 2, 2),
        ],
    )
    def test_and_fails_shows_it_once(
        self, fault: str, events: int, left: int, floor: Floor
    ) -> None:
        floor.housekeeping()
        floor.worker()
        (job_id,) = floor.submit(1, SCRIBE, fault=fault)
        floor.ended(within_s=40)
        assert floor.lab.status(job_id) == "succeeded"
        (artifact,) = shown(floor, job_id)
        wanted = b"written by attempt 2"
        assert artifact["sha256"] == hashlib.sha256(wanted).hexdigest()
        assert told(floor, job_id)[-1] == artifact["id"]
        assert len(set(told(floor, job_id))) == events
        assert len(stored(floor)) == left
        sweep_in_two_hours(floor)
        assert list(stored(floor).values()) == [wanted]

    def test_and_writes_the_same_again_keeps_its_address(self, floor: Floor) -> None:
        floor.housekeeping()
        floor.worker()
        (job_id,) = floor.submit(1, SCRIBE, fault="killed_after_row", attempt_in_text=False)
        floor.ended(within_s=40)
        (artifact,) = shown(floor, job_id)
        assert told(floor, job_id) == [artifact["id"]] * 2
        sweep_in_two_hours(floor)
        assert list(stored(floor).values()) == [b"always the same"]

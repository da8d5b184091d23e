"""The sweep of artifacts: what it deletes, what it marks, and what it must leave alone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import get_settings
from services.artifacts import rows
from services.artifacts.store import (
    OWNERS,
    SHARDS,
    ArtifactsAway,
    Folder,
    Stored,
    new_key,
    places_of,
)
from services.jobs import views
from services.jobs.claim import Claimed
from tasks.files import Files
from tests.lab import Lab
from tests.stack import Stores
from workers.sweeping import Sweeper

HOURS = 3600


class Floor:
    """A folder with artifacts, and the sweeper over it."""

    def __init__(self, lab: Lab, root: Path) -> None:
        self.lab, self.root = lab, root
        self.store = Folder(root)
        self.files = Files(lab.engine, self.store, lambda _: None)
        self.sweeper = Sweeper(get_settings(), threading.Event(), self.store)
        self.owner = lab.make_user()

    def claimed(self) -> Claimed:
        claimed = self.lab.claim(self.lab.submit(self.owner).job_id)
        assert claimed is not None
        return claimed

    def add(self, claimed: Claimed, name: str = "a.txt", content: bytes = b"1") -> Path:
        """Where the bytes of a new artifact lie."""
        artifact_id = self.files.add(claimed, name, "text/plain", content)
        assert artifact_id is not None
        found = self.lab.as_owner(self.owner, rows.read(self.owner, artifact_id))
        return self.root / found.location

    def bytes_without_row(self, age_h: float) -> Path:
        key = new_key()
        self.store.put(key, b"1")
        return aged(self.root / key, age_h)

    def shown(self, claimed: Claimed) -> list[str]:
        view = self.lab.as_owner(self.owner, views.read(self.owner, claimed.job_id))
        return [each["name"] for each in view.artifacts]

    def sweep(self) -> None:
        self.sweeper.round(len(SHARDS))


def aged(path: Path, hours: float) -> Path:
    os.utime(path, (time.time() - hours * HOURS,) * 2)
    return path


@pytest.fixture
def floor(stores: Stores, tmp_path: Path) -> Iterator[Floor]:
    lab = Lab(stores)
    with stores.sql() as connection:
        connection.execute("DELETE FROM jobs")
    made = Floor(lab, tmp_path)
    yield made
    made.sweeper.close()
    lab.close()


class TestBytesThatNoRowNames:
    def test_are_deleted_after_an_hour(self, floor: Floor) -> None:
        old, young = floor.bytes_without_row(2), floor.bytes_without_row(0.9)
        floor.sweep()
        assert not old.exists()
        assert young.exists()

    def test_of_an_artifact_that_was_replaced_go_and_its_successor_stays(
        self, floor: Floor
    ) -> None:
        claimed = floor.claimed()
        old = aged(floor.add(claimed, content=b"old"), 2)
        new = aged(floor.add(claimed, content=b"new"), 2)
        floor.sweep()
        assert not old.exists()
        assert new.read_bytes() == b"new"

    def test_go_with_their_job_and_their_user(self, floor: Floor) -> None:
        first, second = floor.claimed(), floor.claimed()
        gone, kept = aged(floor.add(first), 2), aged(floor.add(second), 2)
        with floor.lab.stores.sql() as connection:
            connection.execute("DELETE FROM jobs WHERE id = %s", (first.job_id,))
        floor.sweep()
        assert (gone.exists(), kept.exists()) == (False, True)
        with floor.lab.stores.sql() as connection:
            connection.execute("DELETE FROM users WHERE id = %s", (floor.owner,))
        floor.sweep()
        assert not kept.exists()

    def test_and_halves_of_uploads_that_broke_off(self, floor: Floor) -> None:
        whole = floor.bytes_without_row(0)
        half = whole.with_name(whole.name + "#1")
        half.write_bytes(b"1")
        aged(half, 2)
        floor.sweep()
        assert not half.exists()
        assert whole.exists()


class TestRowsWhoseBytesAreGone:
    def test_are_not_shown_until_the_bytes_are_back(self, floor: Floor, tmp_path: Path) -> None:
        claimed = floor.claimed()
        lost = floor.add(claimed, "lost.txt")
        floor.add(claimed, "kept.txt")
        aside = lost.rename(tmp_path / "aside")
        floor.sweep()
        assert floor.shown(claimed) == ["kept.txt"]
        aside.rename(lost)
        floor.sweep()
        assert floor.shown(claimed) == ["lost.txt", "kept.txt"]

    def test_are_shown_again_when_made_again(self, floor: Floor) -> None:
        claimed = floor.claimed()
        floor.add(claimed).unlink()
        floor.sweep()
        assert floor.shown(claimed) == []
        floor.add(claimed)
        assert floor.shown(claimed) == ["a.txt"]


class TestARound:
    def test_takes_a_few_shards_and_the_next_goes_on(self, floor: Floor) -> None:
        seen: list[str] = []

        class Watched(Folder):
            def drop_partial(self, shard: str, before: object) -> None:
                seen.append(shard)

        sweeper = Sweeper(get_settings(), threading.Event(), Watched(floor.root))
        for _ in range(64):
            sweeper.round(4)
        assert sorted(seen) == sorted(place for shard in SHARDS for place in places_of(shard))
        sweeper.close()

    def test_with_the_store_away_changes_nothing(self, floor: Floor) -> None:
        class Away(Folder):
            def list(self, shard: str) -> Iterator[Stored]:
                raise ArtifactsAway

        claimed = floor.claimed()
        floor.add(claimed)
        sweeper = Sweeper(get_settings(), threading.Event(), Away(floor.root))
        with pytest.raises(ArtifactsAway):
            sweeper.round(len(SHARDS))
        sweeper.close()
        assert floor.shown(claimed) == ["a.txt"]

    def test_ends_when_the_process_does(self, floor: Floor) -> None:
        stop = threading.Event()
        sweeper = Sweeper(get_settings(), stop, floor.store)
        old = floor.bytes_without_row(2)
        sweeper.start()
        stop.set()
        sweeper.round(len(SHARDS))
        sweeper.close()
        assert old.exists()


class TestAStoreOfTwoDatabases:
    def test_loses_nothing(self, floor: Floor) -> None:
        """A copy of the database, or a second installation, was pointed at the same bucket."""
        floor.sweep()
        (own,) = floor.store.list(OWNERS)
        floor.store.put(f"{OWNERS}/another", b"")
        foreign = floor.bytes_without_row(2)
        floor.sweep()
        assert foreign.exists()
        floor.store.delete([f"{OWNERS}/another"])
        floor.sweep()
        assert not foreign.exists()
        assert [stored.key for stored in floor.store.list(OWNERS)] == [own.key]

    def test_that_belongs_to_another_is_not_taken_over(self, floor: Floor) -> None:
        floor.store.put(f"{OWNERS}/another", b"")
        foreign = floor.bytes_without_row(2)
        floor.sweep()
        assert foreign.exists()
        assert [stored.key for stored in floor.store.list(OWNERS)] == [f"{OWNERS}/another"]

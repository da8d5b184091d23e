"""The stores themselves: a folder, memory, and S3 over loopback, by the same rules."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from obstore.store import MemoryStore

from core.settings import Settings
from services.artifacts.store import (
    BATCH,
    PIECE,
    RECEIPTS,
    ArtifactLost,
    ArtifactsAway,
    ArtifactStore,
    Folder,
    ObjectStore,
    new_key,
    open_store,
)
from tests.s3 import FakeS3, fake_s3


def settings(url: str | None, folder: Path) -> Settings:
    return Settings(database_url="postgresql://h/d", data_dir=folder, artifacts_url=url)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    with fake_s3() as made:
        for name, value in made.env().items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "memory":
        return ObjectStore(MemoryStore())
    if request.param == "s3":
        request.getfixturevalue("s3")
        return open_store(settings("s3://files/of/jobs", tmp_path))
    return open_store(settings(None, tmp_path / "deep" / "data"))


async def read(store: ArtifactStore, key: str, size: int, start: int, end: int) -> bytes:
    pieces = [piece async for piece in await store.open(key, size, start, end)]
    return b"".join(pieces)


class TestEveryStore:
    async def test_gives_back_what_it_took(self, store: ArtifactStore) -> None:
        key = new_key()
        store.put(key, b"0123456789")
        assert await read(store, key, 10, 0, 10) == b"0123456789"
        assert await read(store, key, 10, 3, 6) == b"345"
        assert await read(store, key, 10, 9, 10) == b"9"

    async def test_takes_nothing_and_gives_nothing_back(self, store: ArtifactStore) -> None:
        key = new_key()
        store.put(key, b"")
        assert await read(store, key, 0, 0, 0) == b""

    async def test_takes_a_large_file_whole(self, store: ArtifactStore, tmp_path: Path) -> None:
        content = os.urandom(12 * 1024 * 1024 + 7)
        path, key = tmp_path / "large", new_key()
        path.write_bytes(content)
        store.put(key, path)
        assert await read(store, key, len(content), 0, len(content)) == content

    def test_takes_an_open_file_and_fetches_into_one(self, store: ArtifactStore) -> None:
        content, key = os.urandom(6 * 1024 * 1024 + 7), new_key(RECEIPTS)
        with TemporaryFile() as given, TemporaryFile() as got:
            given.write(content)
            given.seek(0)
            store.put(key, given)
            store.fetch(key, got)
            got.seek(0)
            assert got.read() == content
            with pytest.raises(ArtifactLost):
                store.fetch(new_key(RECEIPTS), got)
        assert [each.key for each in store.list(key.rpartition("/")[0])] == [key]

    async def test_says_what_is_gone_or_not_whole(self, store: ArtifactStore) -> None:
        key = new_key()
        with pytest.raises(ArtifactLost):
            await store.open(key, 1, 0, 1)
        store.put(key, b"shorter")
        with pytest.raises(ArtifactLost):
            await store.open(key, 100, 0, 100)

    def test_lists_a_shard_and_no_other(self, store: ArtifactStore) -> None:
        before = datetime.now(UTC) - timedelta(minutes=1)
        keys = {f"ab/{number}" for number in range(30)}
        for key in keys:
            store.put(key, b"1")
        store.put("ac/1", b"1")
        found = list(store.list("ab"))
        assert {each.key for each in found} == keys
        assert all(each.modified_at > before for each in found)
        assert list(store.list("ad")) == []

    def test_deletes_what_is_there(self, store: ArtifactStore) -> None:
        keys = [f"ab/{number}" for number in range(4)]
        for key in keys:
            store.put(key, b"1")
        store.delete([keys[0], "ab/never", keys[1]])
        assert {each.key for each in store.list("ab")} == {keys[2], keys[3]}
        store.delete(["cd/never"])
        store.delete([])
        assert BATCH <= 1000, "S3 takes no more in one request"


class TestAFolder:
    async def test_is_read_in_pieces(self, tmp_path: Path) -> None:
        store, key = Folder(tmp_path), new_key()
        store.put(key, bytes(5_000_000))
        pieces = await store.open(key, 5_000_000, 0, 5_000_000)
        assert max([len(piece) async for piece in pieces]) <= 2 * PIECE

    def test_is_its_owners_and_made_when_needed(self, tmp_path: Path) -> None:
        store = Folder(tmp_path / "files")
        assert not (tmp_path / "files").exists()
        store.put(new_key(), b"1")
        assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700

    def test_drops_what_a_killed_upload_left(self, tmp_path: Path) -> None:
        store = Folder(tmp_path)
        store.put("ab/whole", b"1")
        old, young = tmp_path / "ab" / "dead#1", tmp_path / "ab" / "busy#1"
        for path in (old, young):
            path.write_bytes(b"half")
        os.utime(old, (time.time() - 9000,) * 2)
        store.drop_partial("ab", datetime.now(UTC) - timedelta(hours=1))
        store.drop_partial("cd", datetime.now(UTC))
        assert not old.exists()
        assert young.exists()
        assert [each.key for each in store.list("ab")] == ["ab/whole"]

    async def test_that_cannot_be_written_is_away(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        store = Folder(tmp_path / "file" / "below")
        with pytest.raises(ArtifactsAway):
            store.put(new_key(), b"1")
        with pytest.raises(ArtifactsAway):
            await store.open(new_key(), 1, 0, 1)


class TestS3:
    def test_keys_lie_below_the_prefix(self, s3: FakeS3, tmp_path: Path) -> None:
        open_store(settings("s3://files/of/jobs", tmp_path)).put("ab/1", b"1")
        assert list(s3.objects) == ["files/of/jobs/ab/1"]
        assert list(tmp_path.iterdir()) == []

    async def test_that_refuses_is_away(self, s3: FakeS3, tmp_path: Path) -> None:
        store = open_store(settings("s3://files", tmp_path))
        s3.refuse = 403
        with pytest.raises(ArtifactsAway):
            store.put(new_key(), b"1")
        with pytest.raises(ArtifactsAway):
            await store.open(new_key(), 1, 0, 1)

    async def test_that_stumbles_is_asked_again(self, s3: FakeS3, tmp_path: Path) -> None:
        store = open_store(settings("s3://files", tmp_path))
        s3.refuse, s3.refusals = 503, 2
        store.put("ab/1", b"1")
        assert await read(store, "ab/1", 1, 0, 1) == b"1"


class TestTheSetting:
    @pytest.mark.parametrize("url", ["/srv/files", "file:///srv", "memory:///", "s3:///x"])
    def test_takes_nothing_but_a_bucket(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="s3://bucket"):
            settings(url, tmp_path)

    def test_may_be_empty(self, tmp_path: Path) -> None:
        assert isinstance(open_store(settings("", tmp_path)), Folder)

"""Artifacts as a run adds them: bytes, then row, number and event under the fence; once a name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from obstore.store import MemoryStore

from core.broker import Grown
from core.kind import JobFailed
from models.job import Status
from services.artifacts import rows
from services.artifacts.rows import ArtifactExpired, ArtifactNotFound, NewArtifact
from services.artifacts.store import ArtifactsAway, Content, ObjectStore
from services.jobs import repair, settle, views
from services.jobs.claim import Claimed
from services.jobs.errors import job_error
from tasks.files import Files
from tests.lab import DAYS, Lab
from tests.stack import Stores

PDF = "application/pdf"


@pytest.fixture(scope="module")
def shared_lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


@pytest.fixture
def lab(shared_lab: Lab) -> Lab:
    with shared_lab.stores.sql() as connection:
        connection.execute("DELETE FROM jobs")
    return shared_lab


@pytest.fixture
def owner(lab: Lab) -> UUID:
    return lab.make_user()


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(MemoryStore())


@pytest.fixture
def told() -> list[Grown]:
    """Jobs of which somebody was told that their logs grew."""
    return []


@pytest.fixture
def files(lab: Lab, store: ObjectStore, told: list[Grown]) -> Files:
    return Files(lab.engine, store, told.extend)


def taken(lab: Lab, owner: UUID) -> Claimed:
    claimed = lab.claim(lab.submit(owner).job_id)
    assert claimed is not None
    return claimed


def added(files: Files, claimed: Claimed, content: bytes | Path, name: str = "a.pdf") -> UUID:
    artifact_id = files.add(claimed, name, PDF, content)
    assert artifact_id is not None
    return artifact_id


def shown(lab: Lab, claimed: Claimed) -> list[dict[str, Any]]:
    """The artifacts that the job shows its owner."""
    view = lab.as_owner(claimed.owner_id, views.read(claimed.owner_id, claimed.job_id))
    return view.artifacts


def tried_again(lab: Lab, claimed: Claimed) -> Claimed:
    busy = job_error("BUSY", "Later.", status=503, retryable=True)
    assert lab.as_engine(settle.try_again(claimed.job_id, claimed.fence, busy, 0))
    again = lab.claim(claimed.job_id, claimed.attempt)
    assert again is not None
    return again


async def bytes_of(lab: Lab, store: ObjectStore, owner: UUID, artifact_id: UUID) -> bytes:
    found = lab.as_owner(owner, rows.read(owner, artifact_id))
    pieces = await store.open(found.location, found.size_bytes, 0, found.size_bytes)
    return b"".join([piece async for piece in pieces])


class TestAdding:
    async def test_says_and_holds_what_was_given(
        self, lab: Lab, owner: UUID, files: Files, store: ObjectStore, told: list[Grown]
    ) -> None:
        claimed = taken(lab, owner)
        artifact_id = added(files, claimed, b"%PDF", "Trip / June.pdf")
        (artifact,) = shown(lab, claimed)
        assert artifact == {
            "id": str(artifact_id),
            "name": "Trip _ June.pdf",
            "media_type": PDF,
            "size_bytes": 4,
            "sha256": hashlib.sha256(b"%PDF").hexdigest(),
            "expires_at": None,
        }
        assert artifact_id.version == 4
        assert told == [(claimed.job_id, owner)]
        assert lab.events(claimed.job_id) == ["job.queued", "job.started", "job.artifact"]
        event = lab.stores.one(
            "SELECT data FROM job_events WHERE job_id = %s AND seq = 3", claimed.job_id
        )
        url = f"/api/v1/artifacts/{artifact_id}"
        assert event == {"artifact": {**artifact, "url": url}}
        assert await bytes_of(lab, store, owner, artifact_id) == b"%PDF"

    async def test_takes_a_file_and_leaves_it(
        self, lab: Lab, owner: UUID, files: Files, store: ObjectStore, tmp_path: Path
    ) -> None:
        # past the size at which a store takes parts
        content = bytes(range(256)) * 4 * 1024 * 8
        path = tmp_path / "large"
        path.write_bytes(content)
        artifact_id = added(files, taken(lab, owner), path)
        assert await bytes_of(lab, store, owner, artifact_id) == content
        assert path.exists()

    def test_refuses_what_would_break_a_header(self, lab: Lab, owner: UUID, files: Files) -> None:
        claimed = taken(lab, owner)
        for wrong in ("", "pdf", "text/html\r\nX-Evil: 1", "text/ html", "TEXT"):
            with pytest.raises(ValueError, match="not a media type"):
                files.add(claimed, "a", wrong, b"")
        assert shown(lab, claimed) == []

    def test_with_the_store_away_is_tried_again_later(self, lab: Lab, owner: UUID) -> None:
        class Away(ObjectStore):
            def put(self, key: str, content: Content) -> None:
                raise ArtifactsAway

        claimed = taken(lab, owner)
        files = Files(lab.engine, Away(MemoryStore()), lambda _: None)
        with pytest.raises(JobFailed) as refused:
            files.add(claimed, "a.pdf", PDF, b"1")
        assert refused.value.retryable
        assert shown(lab, claimed) == []

    def test_after_the_fence_is_lost_writes_nothing(
        self, lab: Lab, owner: UUID, files: Files, told: list[Grown]
    ) -> None:
        stale = taken(lab, owner)
        lab.past(stale.job_id, lease_until=1)
        lab.as_engine(repair.rescue(keep_days=DAYS))
        assert files.add(stale, "a.pdf", PDF, b"1") is None
        fresh = lab.claim(stale.job_id, 1)
        assert fresh is not None
        assert files.add(stale, "a.pdf", PDF, b"1") is None
        assert shown(lab, stale) == []
        assert told == []
        assert "job.artifact" not in lab.events(stale.job_id)

    def test_once_more_after_a_lost_answer_writes_nothing(self, lab: Lab, owner: UUID) -> None:
        claimed = taken(lab, owner)
        new = NewArtifact.of("a.pdf", PDF, b"1")
        first = lab.as_engine(rows.add(claimed.job_id, claimed.fence, new))
        assert lab.as_engine(rows.add(claimed.job_id, claimed.fence, new)) == first
        assert lab.events(claimed.job_id).count("job.artifact") == 1


class TestAnotherAttempt:
    async def test_replaces_what_it_makes_again(
        self, lab: Lab, owner: UUID, files: Files, store: ObjectStore
    ) -> None:
        first = taken(lab, owner)
        old = added(files, first, b"first")
        second = tried_again(lab, first)
        new = added(files, second, b"second!")
        assert new != old, "what lies at an address never changes"
        (artifact,) = shown(lab, second)
        assert (artifact["id"], artifact["size_bytes"]) == (str(new), 7)
        assert await bytes_of(lab, store, owner, new) == b"second!"
        with pytest.raises(ArtifactNotFound):
            lab.as_owner(owner, rows.read(owner, old))

    async def test_keeps_the_address_of_the_same_bytes(
        self, lab: Lab, owner: UUID, files: Files, store: ObjectStore
    ) -> None:
        first = taken(lab, owner)
        artifact_id = added(files, first, b"same")
        second = tried_again(lab, first)
        assert added(files, second, b"same") == artifact_id
        assert len(shown(lab, second)) == 1
        assert await bytes_of(lab, store, owner, artifact_id) == b"same"

    def test_keeps_what_an_earlier_one_made_under_other_names(
        self, lab: Lab, owner: UUID, files: Files
    ) -> None:
        first = taken(lab, owner)
        added(files, first, b"1", "part-1.mp3")
        second = tried_again(lab, first)
        added(files, second, b"2", "part-2.mp3")
        assert [each["name"] for each in shown(lab, second)] == ["part-1.mp3", "part-2.mp3"]


class TestReading:
    def test_is_for_the_owner(self, lab: Lab, owner: UUID, files: Files) -> None:
        artifact_id = added(files, taken(lab, owner), b"1")
        stranger = lab.make_user()
        with pytest.raises(ArtifactNotFound):
            lab.as_owner(stranger, rows.read(stranger, artifact_id))
        with pytest.raises(ArtifactNotFound):
            lab.as_owner(stranger, rows.read(owner, artifact_id))  # the policy alone

    def test_ends_with_the_job(self, lab: Lab, owner: UUID, files: Files) -> None:
        claimed = taken(lab, owner)
        artifact_id = added(files, claimed, b"1")
        ended = settle.settle(claimed.job_id, claimed.fence, Status.SUCCEEDED, keep_days=DAYS)
        assert lab.as_engine(ended)
        view = lab.as_owner(owner, views.read(owner, claimed.job_id))
        found = lab.as_owner(owner, rows.read(owner, artifact_id))
        assert found.expires_at == view.expires_at is not None
        assert view.artifacts[0]["expires_at"] is not None
        lab.past(claimed.job_id, expires_at=1)
        with pytest.raises(ArtifactExpired):
            lab.as_owner(owner, rows.read(owner, artifact_id))
        while lab.as_engine(repair.prune()):
            pass
        with pytest.raises(ArtifactNotFound):
            lab.as_owner(owner, rows.read(owner, artifact_id))

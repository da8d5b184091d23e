"""What Postgres knows of artifacts: added under the fence of a run, read by their owner."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps
from core.errors import AppError, NotFound
from core.ids import public_id
from services.artifacts.names import check_media_type, clean_name
from services.artifacts.store import new_key, places_of

#: Where clients find artifacts: the address is part of what the log of a job says.
ADDRESS = "/api/v1/artifacts/"


class ArtifactNotFound(NotFound):
    """There is no such file."""

    code = "ARTIFACT_NOT_FOUND"


class ArtifactExpired(AppError):
    """This file was kept until its time was over."""

    status, code = 410, "ARTIFACT_EXPIRED"


@dataclass(frozen=True)
class NewArtifact:
    """A file that a run is about to add: measured, and with a key of its own."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    location: str

    @classmethod
    def of(cls, name: str, media_type: str, content: bytes | Path) -> NewArtifact:
        """Measure a file without reading it into memory.

        Raises:
            ValueError: `media_type` is none.
        """
        if isinstance(content, Path):
            with content.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        else:
            digest, size = hashlib.sha256(content).hexdigest(), len(content)
        return cls(clean_name(name), check_media_type(media_type), size, digest, new_key())


# The name is the identity of a file within its job: another attempt that makes it again
# replaces it. The same bytes keep their id, and with it their address. A repeat of this very
# statement, after its answer was lost, finds its location and writes nothing.
_ADD = text("""
WITH mine AS (
    SELECT job_id FROM job_runs
    WHERE job_id = :job AND fence = :fence AND lease_until IS NOT NULL FOR UPDATE
), known AS (
    SELECT id FROM artifacts WHERE location = :location
), job AS (
    UPDATE jobs SET seq = seq + 1
    WHERE id = (SELECT job_id FROM mine) AND status = 'running' AND NOT EXISTS (SELECT FROM known)
    RETURNING id, owner_id, seq
), artifact AS (
    INSERT INTO artifacts AS old
        (id, job_id, owner_id, name, media_type, size_bytes, sha256, location)
    SELECT :id, id, owner_id, :name, :media_type, :size_bytes, :sha256, :location FROM job
    ON CONFLICT (job_id, name) DO UPDATE SET
        id = CASE WHEN (old.sha256, old.media_type) = (excluded.sha256, excluded.media_type)
                  THEN old.id ELSE excluded.id END,
        media_type = excluded.media_type, size_bytes = excluded.size_bytes,
        sha256 = excluded.sha256, location = excluded.location, created_at = now(),
        expires_at = NULL, missing_at = NULL
    RETURNING id, name, media_type, size_bytes, sha256
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT job.id, job.owner_id, job.seq, 'job.artifact', jsonb_build_object('artifact',
        jsonb_build_object('id', a.id, 'name', a.name, 'media_type', a.media_type,
            'size_bytes', a.size_bytes, 'sha256', a.sha256, 'url', CAST(:address AS text) || a.id,
            'expires_at', NULL))
    FROM job CROSS JOIN artifact a
)
SELECT id FROM artifact UNION ALL SELECT id FROM known
""")


def add(job_id: UUID, fence: UUID, new: NewArtifact) -> Steps[UUID | None]:
    """Write row and `job.artifact` under the fence; the bytes are in the store already.

    Returns:
        The artifact's id, or None where the fence is no longer ours.
    """
    bound = _ADD.bindparams(
        id=public_id(),
        job=job_id,
        fence=fence,
        name=new.name,
        media_type=new.media_type,
        size_bytes=new.size_bytes,
        sha256=new.sha256,
        location=new.location,
        address=ADDRESS,
    )
    row = (yield bound).first()
    return None if row is None else UUID(str(row.id))


_ATTACH = text("""
WITH job AS (
    UPDATE jobs SET seq = seq + 1 WHERE id = :job AND owner_id = :owner RETURNING id, owner_id, seq
), artifact AS (
    INSERT INTO artifacts (id, job_id, owner_id, name, media_type, size_bytes, sha256, location)
    SELECT :id, id, owner_id, :name, :media_type, :size_bytes, :sha256, :location FROM job
    RETURNING id, name, media_type, size_bytes, sha256
)
INSERT INTO job_events (job_id, owner_id, seq, type, data)
SELECT job.id, job.owner_id, job.seq, 'job.artifact', jsonb_build_object('artifact',
    jsonb_build_object('id', a.id, 'name', a.name, 'media_type', a.media_type,
        'size_bytes', a.size_bytes, 'sha256', a.sha256, 'url', CAST(:address AS text) || a.id,
        'expires_at', NULL))
FROM job CROSS JOIN artifact a
""")


def attach(owner_id: UUID, job_id: UUID, artifact_id: UUID, new: NewArtifact) -> Steps[None]:
    """Add what its owner uploaded to a job in the transaction that writes the job; the bytes are
    in the store already."""
    yield _ATTACH.bindparams(
        id=artifact_id,
        job=job_id,
        owner=owner_id,
        name=new.name,
        media_type=new.media_type,
        size_bytes=new.size_bytes,
        sha256=new.sha256,
        location=new.location,
        address=ADDRESS,
    )


@dataclass(frozen=True)
class ArtifactView:
    """A file as its owner may fetch it."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    location: str
    expires_at: datetime | None


# a file lasts as long as its job, unless its own time ends sooner; `least` passes NULL over
_READ = text("""
SELECT a.id, a.name, a.media_type, a.size_bytes, a.sha256, a.location,
    least(a.expires_at, j.expires_at) AS expires_at,
    coalesce(least(a.expires_at, j.expires_at) <= now(), false) AS expired
FROM artifacts a JOIN jobs j ON j.id = a.job_id WHERE a.id = :id AND a.owner_id = :owner
""")


def read(owner_id: UUID, artifact_id: UUID) -> Steps[ArtifactView]:
    """One artifact of its owner.

    Raises:
        ArtifactNotFound, ArtifactExpired.
    """
    row = (yield _READ.bindparams(id=artifact_id, owner=owner_id)).first()
    if row is None:
        raise ArtifactNotFound
    values: dict[str, Any] = dict(row._mapping)
    if values.pop("expired"):
        raise ArtifactExpired
    return ArtifactView(**values)


_OF_SHARD = text("""
SELECT location FROM artifacts WHERE location LIKE :artifacts || '/%'
UNION ALL SELECT location FROM receipt_files WHERE location LIKE :receipts || '/%'
""")

_MARK = text("""
WITH receipt AS (
    UPDATE receipt_files SET missing_at = CASE WHEN location = ANY(:missing) THEN now() END
    WHERE location LIKE :receipts || '/%' AND (missing_at IS NULL) = (location = ANY(:missing))
    RETURNING 1
), artifact AS (
    UPDATE artifacts SET missing_at = CASE WHEN location = ANY(:missing) THEN now() END
    WHERE location LIKE :artifacts || '/%' AND (missing_at IS NULL) = (location = ANY(:missing))
    RETURNING 1
)
SELECT (SELECT count(*) FROM receipt) + (SELECT count(*) FROM artifact)
""")


_IDENTITY = text("""
SELECT s.system_identifier || '-' || d.oid
FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()
""")


def database_identity() -> Steps[str]:
    """What tells this database from all others, as role `engine`."""
    return str((yield _IDENTITY).scalar_one())


def of_shard(shard: str) -> Steps[set[str]]:
    """Keys of a shard that rows name, as role `engine`."""
    artifacts, receipts = places_of(shard)
    found = yield _OF_SHARD.bindparams(artifacts=artifacts, receipts=receipts)
    return set(found.scalars().all())


def mark_missing(shard: str, missing: Sequence[str]) -> Steps[int]:
    """Note of a shard's rows which have lost their bytes; those that are back, are back.

    A note and no deletion: an empty folder may be a disk that is not mounted.

    Returns:
        Rows that changed.
    """
    artifacts, receipts = places_of(shard)
    given = {"artifacts": artifacts, "receipts": receipts, "missing": list(missing)}
    return int((yield _MARK.bindparams(**given)).scalar_one())

"""Taking the place of older jobs: what a new one makes pointless is cancelled with its submit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind


@dataclass(frozen=True)
class Place:
    """What at most one unfinished job of an owner holds: a kind, and a tag."""

    kind: str
    tag: str

    def lock(self, owner_id: UUID) -> int:
        """A number for it, signed 64 bits; two places that share one only wait for each other."""
        name = f"{owner_id}\n{self.kind}\n{self.tag}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), signed=True)


_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def take_turns(owner_id: UUID, places: Iterable[Place]) -> Steps[None]:
    """Wait until nobody else takes these places, and keep them from anybody until the commit.

    Of two submits at once, the second must see the job of the first. That job is in no row yet
    which could be locked, so the lock is one of the transaction; a pooler may stand in between.
    """
    # in one order, so that two batches cannot wait for each other
    if keys := sorted({place.lock(owner_id) for place in places}):
        yield bind(_TAKE_TURNS, keys=keys)


# As a cancel: who waits ends at once, a running attempt is asked to stop. One that was
# superseded before, and is still about to stop, stays with its first successor; children go
# with their parent.
_SUPERSEDE = text("""
WITH older AS (
    SELECT id FROM jobs
    WHERE owner_id = :owner AND finished_at IS NULL AND kind = :kind AND superseded_by IS NULL
      AND :tag = ANY(tags) AND parent_id IS NULL
    ORDER BY id FOR NO KEY UPDATE
), job AS (
    UPDATE jobs SET superseded_by = :by,
        cancel_requested_at = coalesce(cancel_requested_at, now()),
        status = CASE WHEN status = 'running' THEN status ELSE 'cancelled' END,
        seq = seq + CASE WHEN status = 'running' THEN 0 ELSE 1 END,
        finished_at = CASE WHEN status = 'running' THEN NULL ELSE now() END,
        expires_at = CASE WHEN status = 'running' THEN NULL
                          ELSE now() + make_interval(secs => :keep_s) END
    FROM older WHERE jobs.id = older.id AND jobs.finished_at IS NULL
    RETURNING jobs.id, jobs.owner_id, jobs.seq, jobs.status
), event AS (
    INSERT INTO job_events (job_id, owner_id, seq, type, data)
    SELECT id, owner_id, seq, 'job.cancelled',
           jsonb_build_object('superseded_by', CAST(:by AS uuid))
    FROM job WHERE status = 'cancelled'
)
SELECT id FROM job
""")


def supersede(owner_id: UUID, place: Place, by: UUID, *, keep_days: float) -> Steps[list[UUID]]:
    """Cancel the owner's unfinished jobs of that kind and tag in favour of a new one.

    Args:
        by: the job about to be written; `take_turns` was asked for its place before.

    Returns:
        The jobs that it supersedes. Those that run end when their workers hear of it.
    """
    rows = yield bind(
        _SUPERSEDE,
        owner=owner_id,
        kind=place.kind,
        tag=place.tag,
        by=by,
        keep_s=keep_days * 86400,
    )
    return list(rows.scalars().all())

"""The log of all jobs of a user, in an order that no late commit can get behind."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind

_PACKED = struct.Struct(">Q16sI")


@dataclass(frozen=True, order=True)
class Cursor:
    """The place of an event in the feed; clients get it as an opaque text."""

    xid: int
    job_id: UUID
    seq: int

    def __str__(self) -> str:
        packed = _PACKED.pack(self.xid, self.job_id.bytes, self.seq)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def read(cls, value: str) -> Cursor | None:
        """The cursor that a client sends back; None where it is none of ours."""
        try:
            packed = base64.b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True)
            xid, job_id, seq = _PACKED.unpack(packed)
        except (ValueError, binascii.Error, struct.error):
            return None
        # what Postgres would refuse as a number
        return cls(xid, UUID(bytes=job_id), seq) if xid < 2**63 and seq < 2**31 else None


_NOBODY = UUID(int=0)

_NOW = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")


def end_of_feed() -> Steps[Cursor]:
    """The place before all that is still being written: nothing after it was served yet."""
    xmin = (yield _NOW).scalar_one()
    return Cursor(int(xmin), _NOBODY, 0)


@dataclass(frozen=True)
class FeedEvent:
    """One numbered line of a job's log, with its place in the feed."""

    #: Which of the asked places it follows.
    asked: int
    cursor: Cursor
    type: str
    data: dict[str, Any]
    at: datetime
    tags: list[str]


# A transaction that is still open may write events with an id below those of others that
# have ended. So only what lies below the oldest open one is served. `unseen` says that more
# has been committed above that line and will be served soon.
_FEED = text("""
WITH line AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin
), known AS (
    SELECT nr, owner_id, CAST(CAST(xid AS text) AS xid8) AS xid, job_id, seq
    FROM unnest(CAST(:owners AS uuid[]), CAST(:xids AS bigint[]), CAST(:jobs AS uuid[]),
                CAST(:seqs AS integer[])) WITH ORDINALITY AS k (owner_id, xid, job_id, seq, nr)
)
SELECT known.nr - 1 AS asked, CAST(CAST(e.xid AS text) AS bigint) AS xid, e.job_id, e.seq, e.type,
       e.data, e.at, e.unseen, jobs.tags
FROM known CROSS JOIN line CROSS JOIN LATERAL (
    SELECT *, job_events.xid >= line.xmin AS unseen FROM job_events
    WHERE owner_id = known.owner_id
      AND (job_events.xid, job_id, seq) > (known.xid, known.job_id, known.seq)
    ORDER BY job_events.xid, job_id, seq LIMIT :limit) e
JOIN jobs ON jobs.id = e.job_id
ORDER BY known.nr, e.xid, e.job_id, e.seq
""")


def read_feed(
    known: Sequence[tuple[UUID, Cursor]], *, limit: int
) -> Steps[tuple[list[FeedEvent], set[int]]]:
    """What the feeds of these owners hold past the given places, as role `engine`.

    Args:
        limit: events for each of them at most.

    Returns:
        The events, in order for each, and the numbers of those for whom more was committed
        that may not be served yet.
    """
    bound = bind(
        _FEED,
        owners=[owner for owner, _ in known],
        xids=[cursor.xid for _, cursor in known],
        jobs=[cursor.job_id for _, cursor in known],
        seqs=[cursor.seq for _, cursor in known],
        limit=limit,
    )
    rows = (yield bound).all()
    seen = [
        FeedEvent(
            row.asked, Cursor(row.xid, row.job_id, row.seq), row.type, row.data, row.at, row.tags
        )
        for row in rows
        if not row.unseen
    ]
    return seen, {row.asked for row in rows if row.unseen}

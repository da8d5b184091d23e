"""What one client of a stream gets, and where it waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from models.job import TERMINAL

#: Whatever the broker does, an event is seen after so long. Seconds.
SWEEP_EVERY_S = 1.0
#: Events held for one client; more stay in Postgres until it has read some.
BUFFER = 256

TERMINAL_EVENTS = frozenset(f"job.{status.value}" for status in TERMINAL)


class StreamEnded(Exception):
    """The client has seen the terminal event."""


async def answer_stream_ended(_request: Request, _error: Exception) -> Response:
    """204: the one answer after which an EventSource does not come back (WHATWG HTML 9.2.2)."""
    return Response(status_code=204)


@dataclass(frozen=True)
class Frame:
    """One event as a client gets it; `seq` is None for live hints, which are never resumed."""

    seq: int | None
    type: str
    data: dict[str, Any]
    #: What the client resumes from; None on live hints.
    id: str | None = None

    @property
    def terminal(self) -> bool:
        return self.type in TERMINAL_EVENTS


def utc_text(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.isoformat().replace("+00:00", "Z")


def frame_of(
    job_id: UUID,
    seq: int,
    type_: str,
    at: datetime,
    data: dict[str, Any],
    *,
    job: dict[str, Any] | None,
    event_id: str,
) -> Frame:
    """The frame of an event of the log.

    Args:
        job: the whole job, where the event is its end.
    """
    body = {"job_id": str(job_id), "seq": seq, "at": utc_text(at), **data}
    if job is not None:
        body["job"] = job
    return Frame(seq, type_, body, event_id)


@dataclass(eq=False)
class Follower:
    """One client that follows one job, from the event after `cursor` on."""

    job_id: UUID
    cursor: int
    frames: deque[Frame] = field(default_factory=deque)
    #: Newest live hint; an older one is of no interest.
    hint: Frame | None = None
    #: Whether there was more for it than it could hold.
    starved: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def hungry(self) -> bool:
        return len(self.frames) < BUFFER

    def take(self) -> Frame | None:
        if self.frames:
            return self.frames.popleft()
        hint, self.hint = self.hint, None
        return hint

"""What one client of a stream gets, and where it waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.sse import format_sse_event

from models.job import TERMINAL

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
    #: Whether the stream ends with it.
    last: bool = False

    @cached_property
    def encoded(self) -> bytes:
        """As it travels; the same bytes for all who follow."""
        text = json.dumps(self.data, separators=(",", ":"))
        return format_sse_event(data_str=text, event=self.type, id=self.id)


def utc_text(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.isoformat().replace("+00:00", "Z")


def body_of(
    job_id: UUID, seq: int, at: datetime, data: dict[str, Any], job: dict[str, Any] | None
) -> dict[str, Any]:
    """The data of an event of the log.

    Args:
        job: the whole job, where the event is its end.
    """
    body = {"job_id": str(job_id), "seq": seq, "at": utc_text(at), **data}
    return body if job is None else {**body, "job": job}


def _nobody() -> None:
    """Nobody waits."""


@dataclass(eq=False, slots=True)
class Follower:
    """One client that follows a job, or all jobs of a user, from the event after `cursor` on."""

    #: The job, or the user.
    key: UUID
    #: The number of an event, or its place among all.
    cursor: Any
    #: Follow only jobs with it.
    tag: str | None = None
    # a list and no deque: one of those takes 0.6 kB while it is empty, as it usually is
    frames: list[Frame] = field(default_factory=list)
    #: Newest live hint; an older one is of no interest.
    hint: Frame | None = None
    #: Whether there was more for it than it could hold.
    starved: bool = False
    #: Called when there is something to take.
    wake: Callable[[], None] = _nobody

    @property
    def hungry(self) -> bool:
        return len(self.frames) < BUFFER

    def give(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.hint = None  # it speaks of the time before
        self.wake()

    def take(self) -> Frame | None:
        if self.frames:
            return self.frames.pop(0)
        hint, self.hint = self.hint, None
        return hint

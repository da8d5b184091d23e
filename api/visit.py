"""What is known about one request while it is served, wherever in the stack one stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import Receive, Send

_KEY = "wheels.visit"


class Rest(Protocol):
    """What remains of an answer after the application has opened it."""

    async def serve(self, receive: Receive, send: Send) -> None:
        """Send the rest, until it is whole or the client has left."""

    def close(self) -> None:
        """Give back what it holds; may be called twice."""


@dataclass
class Visit:
    """One request on its way through the door."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    #: Headers for the answer whatever becomes of the request, e.g. the rate limits.
    headers: dict[str, str] = field(default_factory=dict)
    #: Of the route, where the scope no longer says it.
    template: str | None = None
    #: Of the answer, once it has begun.
    status: int = 0
    body_done: bool = False
    #: Whether the client has left.
    gone: bool = False
    #: Set by who opens an answer and wants the door to serve the rest.
    rest: Rest | None = None


def begin_visit(scope: Any, request_id: str) -> Visit:
    visit = Visit(request_id)
    scope[_KEY] = visit
    return visit


def visit_of(scope: Mapping[str, Any]) -> Visit:
    """The visit that this ASGI scope belongs to."""
    visit: Visit = scope[_KEY]
    return visit

"""What is known about one request while it is served, wherever in the stack one stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_KEY = "wheels.visit"


@dataclass
class Visit:
    """One request on its way through the door."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    #: Headers for the answer whatever becomes of the request, e.g. the rate limits.
    headers: dict[str, str] = field(default_factory=dict)
    #: Of the answer, once it has begun.
    status: int = 0
    body_done: bool = False
    #: Whether the client has left.
    gone: bool = False


def begin_visit(scope: Any, request_id: str) -> Visit:
    visit = Visit(request_id)
    scope[_KEY] = visit
    return visit


def visit_of(scope: Mapping[str, Any]) -> Visit:
    """The visit that this ASGI scope belongs to."""
    visit: Visit = scope[_KEY]
    return visit

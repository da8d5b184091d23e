"""What a client of the campaign asks for: the mix of jobs, drawn from its own generator."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.client import TRIP


@dataclass(frozen=True)
class Errand:
    """A submit, and what its client does afterwards.

    Attributes:
        path: where it is posted.
        then: "" | "cancel" | "finish" | "retry"
        after_s: how long it waits before that.
        copies: how often the same request is sent at once, with one key.
    """

    path: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    then: str = ""
    after_s: float = 0.0
    copies: int = 1
    followed: bool = False


Draw = Callable[[random.Random], Errand]


def draw(rng: random.Random) -> Errand:
    """The next errand of a client."""
    name, body = rng.choices(_BODIES, _WEIGHTS)[0](rng)
    headers = {}
    if rng.random() < 0.05:
        headers["Cancel-After"] = str(rng.randint(1, 4))
    if rng.random() < 0.04:
        headers["X-Queue-TTL"] = "1"
    if rng.random() < 0.06:
        headers["Prefer"] = "wait=2"
    if rng.random() < 0.15:
        headers["X-Queue-Priority"] = "batch"
    return Errand(
        name,
        body,
        headers,
        then=rng.choices(("", "cancel", "finish", "retry"), (70, 14, 8, 8))[0],
        after_s=rng.uniform(0, 1.5),
        copies=5 if rng.random() < 0.05 else 1,
        followed=rng.random() < 0.6,
    )


def _nap(rng: random.Random) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"seconds": round(rng.uniform(0.05, 0.6), 2), "step_s": 0.05}
    luck = rng.random()
    if luck < 0.15:
        body["fail_first"] = rng.randint(1, 3)
    elif luck < 0.18:
        body["bug"] = True
    elif luck < 0.2:
        body["crash"] = True
    elif luck < 0.4:
        body["stubborn"] = True
    elif luck < 0.43:
        body["seconds"] = 7.0  # longer than a lease
    return "/chaos/nap", body


def _doze(rng: random.Random) -> tuple[str, dict[str, Any]]:
    seconds = rng.choice((0.2, 0.5, 2.0, 7.0))
    return "/chaos/doze", {"seconds": seconds, "step_s": 0.1}


def _blink(rng: random.Random) -> tuple[str, dict[str, Any]]:
    return "/chaos/blink", {"seconds": rng.choice((0.1, 4.0)), "step_s": 0.05}


def _scribe(rng: random.Random) -> tuple[str, dict[str, Any]]:
    fault = rng.choices(
        ("none", "killed_before_row", "killed_after_row", "error_after_row"), (7, 1, 1, 1)
    )[0]
    return "/chaos/scribe", {"fault": fault, "attempt_in_text": rng.random() < 0.5}


def _plan(rng: random.Random) -> tuple[str, dict[str, Any]]:
    return "/routes", {**TRIP, "budget_s": rng.choice((0.05, 0.1, 0.2, 1.0))}


_BODIES = (_nap, _doze, _blink, _scribe, _plan)
_WEIGHTS = (40, 20, 3, 15, 22)

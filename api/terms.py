"""What the headers of a submit say about the job and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Header

from core.kind import Priority

#: Longest that `Prefer: wait` holds an answer. Seconds.
WAIT_CAP_S = 25
#: Longest deadline or start-by time that a header may ask for. Seconds.
WEEK_S = 7 * 86400


def _wait_of(lines: list[str]) -> int | None:
    """Seconds of the first `wait` preference (RFC 7240 section 4.3), capped; None without one."""
    for preference in ",".join(lines).split(","):
        # what follows a semicolon are parameters of the preference, not further ones
        name, _, value = preference.partition(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isdecimal():
            # int() refuses thousands of digits
            return WAIT_CAP_S if len(seconds) > 9 else min(int(seconds), WAIT_CAP_S) or None
    return None


@dataclass(frozen=True)
class Terms:
    """What the headers of a submit say about the job and its answer."""

    wait_s: int | None
    deadline_s: float | None
    start_within_s: float | None
    priority: Priority | None
    key: str | None


KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Same key and body: the first answer again. Kept 24 hours.",
    ),
]
PreferHeader = Annotated[
    list[str] | None,  # a list header may come in several lines
    Header(description="`wait=N` holds the answer up to N seconds (1 to 25) for the job's end."),
]
_SECONDS = {"gt": 0, "le": WEEK_S, "allow_inf_nan": False}


async def read_terms(
    key: KeyHeader = None,
    prefer: PreferHeader = None,
    cancel_after: Annotated[
        float | None,
        Header(alias="Cancel-After", description="Deadline, seconds from now.", **_SECONDS),
    ] = None,
    queue_ttl: Annotated[
        float | None,
        Header(alias="X-Queue-TTL", description="Start within so many seconds.", **_SECONDS),
    ] = None,
    priority: Annotated[
        Priority | None,
        Header(
            alias="X-Queue-Priority",
            description="`batch` lets everybody's interactive jobs go first, for a minute at most.",
        ),
    ] = None,
) -> Terms:
    """The headers that any submit understands."""
    return Terms(_wait_of(prefer or []), cancel_after, queue_ttl, priority, key)

"""What a message says: the event's name and time, and the job as lists show it, in 20 kB."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.jobs.pace import UNKNOWN_PACE
from services.jobs.shown import JobRead
from services.jobs.views import JobView

#: Standard Webhooks specification 1.0, "Payload size". Bytes.
BODY_MAX = 20_000
#: What is left out first where a message would be larger; the sizes stay, and the link.
_BULKY = ("input", "result", "progress", "artifacts", "error", "tags")


def event_body(
    type_: str, at: datetime, seq: int, view: JobView, event: Mapping[str, Any] | None
) -> str:
    """A message about an event.

    Args:
        view: the job as it is now, which may be later than the event; `data.seq` says.
        event: what the log says of the event; of an artifact's, the file.
    """
    job = JobRead.of(view, UNKNOWN_PACE).model_dump(mode="json")
    more = {"artifact": event["artifact"]} if event and "artifact" in event else {}
    body = _written({"type": type_, "timestamp": _stamp(at), "seq": seq, "data": job, **more})
    for name in _BULKY:
        if len(body.encode()) < BODY_MAX:
            break
        job[name] = [] if isinstance(job[name], list) else None
        body = _written({"type": type_, "timestamp": _stamp(at), "seq": seq, "data": job, **more})
    return body


def ping_body(type_: str, at: datetime, endpoint_id: str) -> str:
    """A message that tells of no event."""
    data = {"webhook_id": endpoint_id}
    return _written({"type": type_, "timestamp": _stamp(at), "data": data})


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _written(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))

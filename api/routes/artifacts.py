"""Artifacts: fetch a file that a job made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.deps import CurrentUser, Process
from api.downloads import Download, knows
from core.database import perform_async
from services.artifacts import rows
from services.artifacts.names import content_disposition

router = APIRouter(prefix="/artifacts", tags=["artifacts"])

#: How long a file may stay in a browser's cache while its job has no end yet. Seconds.
DAY_S = 86400
YEAR_S = 365 * DAY_S

_BYTES = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": _BYTES},
    206: {"description": "The part that `Range` asks for.", "content": _BYTES},
    304: {"description": "Not changed since the `If-None-Match` tag."},
    410: {
        "$ref": "#/components/responses/Gone",
        "description": "Its time is over (`ARTIFACT_EXPIRED`), or it is lost (`ARTIFACT_LOST`).",
    },
    416: {
        "$ref": "#/components/responses/OutOfRange",
        "description": "The file ends before the range; `Content-Range` says where.",
    },
}


def _max_age_s(expires_at: datetime | None) -> int:
    if expires_at is None:
        return DAY_S
    left = (expires_at - datetime.now(UTC)).total_seconds()
    return max(0, min(YEAR_S, int(left)))


async def _found(artifact_id: UUID, user: CurrentUser, process: Process) -> rows.ArtifactView:
    # a transaction of its own: none is open while the bytes go out
    async with process.databases.app.transaction(user.id) as db:
        return await perform_async(db, rows.read(user.id, artifact_id))


def _download(request: Request, artifact: rows.ArtifactView) -> Download | Response:
    """What of the file to send, or 304."""
    etag = f'"{artifact.sha256}"'
    # what lies at an address never changes: a file that is made anew gets another id
    cache = f"private, max-age={_max_age_s(artifact.expires_at)}, immutable"
    if knows(request.headers.getlist("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": cache})
    headers = {
        "Content-Type": artifact.media_type,
        "Content-Disposition": content_disposition(artifact.name),
        "Cache-Control": cache,
    }
    return Download.of(request, artifact.size_bytes, etag, headers)


@router.get("/{artifact_id}", response_class=Response, responses=ANSWERS)
async def read_artifact(
    artifact_id: UUID, request: Request, user: CurrentUser, process: Process
) -> Response:
    """The file. `Range`, `If-Range` and `If-None-Match` are understood; the ETag is its SHA-256."""
    artifact = await _found(artifact_id, user, process)
    download = _download(request, artifact)
    if isinstance(download, Response):
        return download
    span = download.wanted
    pieces = await process.artifacts.open(
        artifact.location, artifact.size_bytes, span.start, span.end
    )
    return download.answer(pieces)


@router.head("/{artifact_id}", include_in_schema=False)
async def probe_artifact(
    artifact_id: UUID, request: Request, user: CurrentUser, process: Process
) -> Response:
    """All but the file; the store is not asked."""
    artifact = await _found(artifact_id, user, process)
    download = _download(request, artifact)
    return download if isinstance(download, Response) else download.head()

"""Artifacts: fetch a file that a job made, by token or by a signed link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from api.deps import CurrentUser, Process, bearer_scheme, current_user
from api.downloads import Download, knows
from api.schemas.base import Body, One
from core.database import perform_async
from services.artifacts import links, rows
from services.artifacts.names import content_disposition
from services.jobs.shown import UtcTime

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


async def reader(
    request: Request,
    process: Process,
    artifact_id: UUID,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)],
    link: Annotated[
        str | None,
        Query(max_length=1000, description="Of a signed link, where nobody is signed in."),
    ] = None,
) -> UUID:
    """The owner of the file, by header or by link."""
    if bearer is not None or link is None:
        return (await current_user(request, bearer)).id
    owner_id = links.owner_of(process.settings, process.keys, link, artifact_id)
    structlog.contextvars.bind_contextvars(user_id=str(owner_id))
    return owner_id


Reader = Annotated[UUID, Depends(reader)]


async def _found(artifact_id: UUID, owner_id: UUID, process: Process) -> rows.ArtifactView:
    # a transaction of its own: none is open while the bytes go out
    async with process.databases.app.transaction(owner_id) as db:
        return await perform_async(db, rows.read(owner_id, artifact_id))


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
    artifact_id: UUID, request: Request, owner_id: Reader, process: Process
) -> Response:
    """The file. `Range`, `If-Range` and `If-None-Match` are understood; the ETag is its SHA-256."""
    artifact = await _found(artifact_id, owner_id, process)
    download = _download(request, artifact)
    if isinstance(download, Response):
        return download
    span = download.wanted
    pieces = await process.artifacts.open(
        artifact.location, artifact.size_bytes, span.start, span.end
    )
    return download.answer(pieces)


class LinkRequest(Body):
    """How long the link shall live."""

    lifetime_s: int = Field(int(links.LIFETIME.total_seconds()), ge=10, le=900)


class LinkRead(BaseModel):
    """A link that opens one file for whoever has it."""

    url: str
    expires_at: UtcTime


@router.post(
    "/{artifact_id}/links",
    status_code=201,
    responses={
        404: {"$ref": "#/components/responses/NotFound", "description": "There is no such file."},
        410: ANSWERS[410],
    },
)
async def create_artifact_link(
    artifact_id: UUID, body: LinkRequest, user: CurrentUser, process: Process, response: Response
) -> One[LinkRead]:
    """A link that needs no sign-in, for a quarter of an hour at most: for a player, a download, a
    mail. It cannot be taken back."""
    await _found(artifact_id, user.id, process)
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=body.lifetime_s)
    signed = links.sign(process.settings, process.keys, user.id, artifact_id, expires_at)
    response.headers["Cache-Control"] = "no-store"
    url = f"/api/v1/artifacts/{artifact_id}?link={signed}"
    return One(data=LinkRead(url=url, expires_at=expires_at))


@router.head("/{artifact_id}", include_in_schema=False)
async def probe_artifact(
    artifact_id: UUID, request: Request, owner_id: Reader, process: Process
) -> Response:
    """All but the file; the store is not asked."""
    artifact = await _found(artifact_id, owner_id, process)
    download = _download(request, artifact)
    return download if isinstance(download, Response) else download.head()

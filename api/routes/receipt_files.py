"""The files of receipts: the receipt itself, its thumbnail, and pictures of its pages."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from api.deps import CurrentUser, Process
from api.downloads import Download, knows
from api.routes.artifacts import ANSWERS
from core.database import perform_async
from services.artifacts.names import content_disposition
from services.artifacts.store import ArtifactLost
from services.receipts import views
from services.receipts.views import FileView

router = APIRouter(prefix="/receipts", tags=["receipts"])

#: How a receipt's file is called after its name, by what it is.
ENDINGS = {"image/jpeg": ".jpg", "application/pdf": ".pdf"}
FILES: dict[int | str, dict[str, Any]] = {
    **ANSWERS,
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "It is still being looked at, or was refused (`RECEIPT_NOT_READY`).",
    },
}


@router.get("/{receipt_id}/file", response_class=Response, responses=FILES)
async def read_receipt_file(
    receipt_id: UUID, request: Request, user: CurrentUser, process: Process
) -> Response:
    """The receipt: a JPEG, or a PDF. `Range` and `If-None-Match` are understood."""
    return await _answer(receipt_id, "file", 0, request, user, process)


@router.get("/{receipt_id}/thumbnail", response_class=Response, responses=FILES)
async def read_receipt_thumbnail(
    receipt_id: UUID, request: Request, user: CurrentUser, process: Process
) -> Response:
    """A small picture of it, 400 pixels at most: a JPEG."""
    return await _answer(receipt_id, "thumbnail", 0, request, user, process)


@router.get("/{receipt_id}/pages/{number}", response_class=Response, responses=FILES)
async def read_receipt_page(
    receipt_id: UUID,
    number: Annotated[int, Path(ge=1, le=1000)],
    request: Request,
    user: CurrentUser,
    process: Process,
) -> Response:
    """A picture of one of the first three pages: a JPEG."""
    return await _answer(receipt_id, "page", number, request, user, process)


async def _answer(
    receipt_id: UUID, role: str, number: int, request: Request, user: CurrentUser, process: Process
) -> Response:
    # a transaction of its own: none is open while the bytes go out
    async with process.databases.app.transaction(user.id) as db:
        receipt = await perform_async(db, views.RECORDS.read(user.id, receipt_id))
        file = await perform_async(db, views.file_of(user.id, receipt_id, role, number))
    etag = f'"{file.sha256}"'
    # whoever may see it is asked each time: a receipt can be deleted
    cache = "private, no-cache"
    if knows(request.headers.getlist("if-none-match"), etag):
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": cache})
    if file.missing_at is not None:
        raise ArtifactLost
    headers = {
        "Content-Type": file.media_type,
        "Content-Disposition": content_disposition(_name(receipt.name, file)),
        "Cache-Control": cache,
    }
    download = Download.of(request, file.size_bytes, etag, headers)
    span = download.wanted
    pieces = await process.artifacts.open(file.location, file.size_bytes, span.start, span.end)
    return download.answer(pieces)


def _name(name: str, file: FileView) -> str:
    """As the owner calls it, with the ending of what it is now."""
    stem = name.rpartition(".")[0] or name
    part = {"thumbnail": "-small", "page": f"-{file.number or 1}"}.get(file.role, "")
    return f"{stem}{part}{ENDINGS[file.media_type]}"

"""Files on their way in: written to disk as they come, never whole in memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from core.errors import AppError, Invalid

#: Bytes that are written at once.
PIECE = 1 << 20
#: Parts of a form beside its file.
FIELDS = 5


class FileTooLarge(AppError):
    """The file is too large."""

    status, code = 413, "CONTENT_TOO_LARGE"


@dataclass(frozen=True)
class Incoming:
    """A file that has come in, until the request is over.

    Attributes:
        name: as its sender calls it.
        fields: what came beside it in a form.
    """

    path: Path
    name: str | None
    fields: dict[str, str]


@asynccontextmanager
async def incoming_file(request: Request, most: int) -> AsyncIterator[Incoming]:
    """The file of a request: its body, or the part `file` of a form.

    Args:
        most: bytes that it may have.

    Raises:
        FileTooLarge
        Invalid: the form has no file.
        HTTPException: the form is none, or the client has left.
    """
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="incoming-")
    path = Path(folder.name) / "file"
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            yield await _of_form(request, path, most)
        else:
            await _write(request.stream(), path, most)
            yield Incoming(path, None, {})
    except ClientDisconnect:
        raise HTTPException(400) from None
    finally:
        await asyncio.to_thread(folder.cleanup)


async def _of_form(request: Request, path: Path, most: int) -> Incoming:
    async with request.form(max_files=1, max_fields=FIELDS) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Invalid(field_errors={"file": ["Send the file as the part `file`"]})
        await _write(_pieces(file), path, most)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        return Incoming(path, file.filename, fields)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece


async def _write(pieces: AsyncIterator[bytes], path: Path, most: int) -> None:
    """In pieces of about `PIECE`, in threads: the event loop never waits for a disk."""
    file: IO[bytes] = await asyncio.to_thread(path.open, "wb")
    try:
        waiting, seen = bytearray(), 0
        async for piece in pieces:
            seen += len(piece)
            if seen > most:
                raise FileTooLarge
            waiting += piece
            if len(waiting) >= PIECE:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))
    finally:
        await asyncio.to_thread(file.close)

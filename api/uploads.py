"""A file in the body of a request: in a form or as the body itself, on disk and not in memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from core.errors import Invalid
from services.receipts.errors import NotAReceipt

#: Pieces of a body are written together once there is so much of them. Bytes.
TOGETHER = 256 * 1024
FORM = "multipart/form-data"
#: How a body that is the file itself may be called; what it is, its first bytes say.
RAW = ("image/", "application/pdf", "application/octet-stream")


@dataclass(frozen=True)
class Upload:
    """What was sent.

    Attributes:
        content: a file without a name, at its start.
        name: what the sender calls it.
        fields: what else a form said.
    """

    content: IO[bytes]
    name: str
    fields: dict[str, str]


@asynccontextmanager
async def uploaded(request: Request, fields: frozenset[str]) -> AsyncIterator[Upload]:
    """Read the body. The door has bounded it.

    Args:
        fields: that a form may have beside `file`.

    Raises:
        Invalid: names all fields of a form that are wrong.
        NotAReceipt: the body is neither a form nor a file.
    """
    given = request.headers.get("content-type", "").lower()
    if given.startswith(FORM):
        # one more than there may be, so that it can be named
        async with request.form(max_files=2, max_fields=len(fields) + 1) as form:
            yield _of_form(form, fields)
    elif not given or given.startswith(RAW):
        with tempfile.TemporaryFile() as content:
            await _write(request, content)
            yield Upload(content, "", {})
    else:
        raise NotAReceipt


def _of_form(form: FormData, fields: frozenset[str]) -> Upload:
    wrong: dict[str, list[str]] = {}
    files, texts = [], {}
    for name, value in form.multi_items():
        if name == "file":
            files.append(value)
        elif name not in fields:
            wrong[name] = ["Extra inputs are not permitted"]
        elif isinstance(value, str) and name not in texts:
            texts[name] = value
        else:
            wrong[name] = ["Input should be one text"]
    file: Any = files[0] if len(files) == 1 else None
    if not isinstance(file, UploadFile):
        wrong["file"] = ["Field required" if not files else "Input should be one file"]
    if wrong:
        raise Invalid(field_errors=wrong)
    return Upload(file.file, file.filename or "", texts)


async def _write(request: Request, content: IO[bytes]) -> None:
    waiting = bytearray()
    async for piece in request.stream():
        waiting += piece
        if len(waiting) >= TOGETHER:
            await asyncio.to_thread(content.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(content.write, bytes(waiting))
    content.seek(0)

"""Answering with a file: whole or one range, fresh or not, never all of it in memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from core.errors import AppError

_ONE_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


class RangeNotSatisfiable(AppError):
    """The file ends before the range that was asked for."""

    status, code = 416, "RANGE_NOT_SATISFIABLE"


@dataclass(frozen=True)
class Span:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def asked_span(header: str | None, size: int) -> Span | None:
    """The range that a `Range` header asks for (RFC 9110 section 14), or None for all.

    What is no range in bytes is passed over, and so are several ranges in one, which a
    server may (section 14.2): the answer is then whole.

    Raises:
        RangeNotSatisfiable: nothing of it lies within the file.
    """
    found = _ONE_RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return None
    if first:
        span = Span(int(first), min(int(last) + 1, size) if last else size)
    else:
        span = Span(max(0, size - int(last)), size)
    if span.size <= 0:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return span


def knows(lines: list[str], etag: str) -> bool:
    """Whether `If-None-Match` names the tag; compared weakly (RFC 9110 section 13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in ",".join(lines).split(",")}
    return "*" in tags or etag in tags


@dataclass(frozen=True)
class Download:
    """A file as one request sees it.

    Attributes:
        span: what of it is asked for, or None for all.
        headers: what every answer about it says.
    """

    size: int
    span: Span | None
    headers: dict[str, str]

    @classmethod
    def of(cls, request: Request, size: int, etag: str, headers: dict[str, str]) -> Download:
        """
        Raises:
            RangeNotSatisfiable
        """
        about = {**headers, "ETag": etag, "Accept-Ranges": "bytes"}
        # a method other than GET has no ranges; a part of another version is of no use
        ranged = request.method == "GET" and request.headers.get("if-range", etag) == etag
        span = asked_span(request.headers.get("range"), size) if ranged else None
        return cls(size, span, about)

    @property
    def wanted(self) -> Span:
        return self.span or Span(0, self.size)

    def head(self) -> Response:
        """All but the bytes."""
        return Response(headers={**self.headers, "Content-Length": str(self.size)})

    def answer(self, pieces: AsyncIterator[bytes]) -> Response:
        """200 with all, or 206 with the part."""
        headers = {**self.headers, "Content-Length": str(self.wanted.size)}
        if self.span is None:
            return StreamingResponse(pieces, headers=headers)
        headers["Content-Range"] = f"bytes {self.span.start}-{self.span.end - 1}/{self.size}"
        return StreamingResponse(pieces, 206, headers)

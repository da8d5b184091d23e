"""Reading Server-Sent Events frame by frame, as they came: nothing merged, nothing left out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from api.schemas.events import EVENTS, WITHOUT_ID


@dataclass
class Frame:
    """One frame; `id` is None where the line is absent."""

    event: str = ""
    id: str | None = None
    retry: int | None = None
    comment: str | None = None
    #: One per `data:` line.
    lines: list[str] = field(default_factory=list)

    @property
    def data(self) -> Any:
        return json.loads("\n".join(self.lines))

    @property
    def seq(self) -> int:
        assert self.id is not None
        return int(self.id)

    def check(self) -> None:
        """What is sent is what the description says, wherever a test looks."""
        if self.lines:
            EVENTS[self.event].model_validate(self.data)
            assert (self.id is None) == (self.event in WITHOUT_ID), self

    def read(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.lines.append(value)
        elif name == "retry":
            self.retry = int(value)
        else:
            assert name in ("event", "id", ""), line
            setattr(self, name or "comment", value)


async def _lines(answer: httpx2.Response) -> AsyncIterator[str]:
    """Lines that end in LF alone; `aiter_lines` would also break at characters inside of JSON."""
    rest = b""
    async for piece in answer.aiter_raw():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode()
    assert rest == b"", f"cut in the middle of a line: {rest!r}"


async def frames(answer: httpx2.Response) -> AsyncIterator[Frame]:
    """The frames of an open answer, to its end."""
    frame: Frame | None = None
    async for line in _lines(answer):
        if line:
            frame = frame or Frame()
            frame.read(line)
        elif frame is not None:
            frame.check()
            yield frame
            frame = None
    assert frame is None, f"cut in the middle of a frame: {frame}"


@asynccontextmanager
async def following(
    http: httpx2.AsyncClient, path: str, **asked: Any
) -> AsyncIterator[AsyncIterator[Frame]]:
    """An open stream; it is left at the end of the block."""
    async with http.stream("GET", path, **asked) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield frames(answer)


async def whole(http: httpx2.AsyncClient, path: str, **asked: Any) -> list[Frame]:
    """All frames of a stream that the server ends."""
    async with following(http, path, **asked) as found:
        return [frame async for frame in found]


def numbered(found: list[Frame]) -> list[Frame]:
    """The events of the log among frames."""
    return [frame for frame in found if frame.id is not None]

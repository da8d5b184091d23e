"""Refuses text that JSON can carry and Postgres cannot store, naming the field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request

from core.errors import Invalid

#: How NUL and halves of surrogate pairs are written in JSON; raw ones are not valid JSON at all.
_SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
_MESSAGE = "contains a character that cannot be stored (NUL or half of a surrogate pair)"


async def refuse_unstorable_text(request: Request) -> None:
    """Refuse NUL and lone surrogates wherever they stand in query or JSON body.

    Raises:
        Invalid: names every field that holds one.
    """
    found = [name for name, value in request.query_params.multi_items() if not _storable(value)]
    # FastAPI has read the body by now; only suspects are looked through a second time
    if "json" in request.headers.get("content-type", ""):
        body = await request.body()
        if _SUSPECT.search(body):
            found += (".".join(path) or "body" for path in _walk(_parsed(body), ()))
    _refuse(found)


def refuse_unstorable(value: Any, where: str) -> None:
    """The same for JSON that comes in some other way.

    Raises:
        Invalid: names every field that holds one, below `where`.
    """
    _refuse([".".join((where, *path)) for path in _walk(value, ())])


def _refuse(found: list[str]) -> None:
    if found:
        raise Invalid(
            "Some text cannot be stored.", field_errors={name: [_MESSAGE] for name in found}
        )


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None  # said better by whoever wants the body


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, str):
        if not _storable(value):
            yield path
    elif isinstance(value, dict):
        for key, member in value.items():
            if not _storable(key):
                yield path
            yield from _walk(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _walk(member, (*path, str(index)))


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text

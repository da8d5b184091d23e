"""Resources as answers, with their version as ETag, and what a caller's headers say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from pydantic_core import to_json

from api.schemas.base import Paging
from api.terms import KeyHeader
from services.idempotency import IdempotencyKey


def etag_of(version: int) -> str:
    return f'"{version}"'


def one(
    data: Mapping[str, Any],
    *,
    version: int | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One resource; what is computed has no version."""
    tag = {} if version is None else {"ETag": etag_of(version)}
    return _json({"data": data}, status, {**(headers or {}), **tag})


def many(
    data: Sequence[Mapping[str, Any]],
    total: int,
    paging: Paging,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """One page of a collection; `more` stands beside its data."""
    page = {"total": total, "page": paging.page, "page_size": paging.page_size}
    return _json({"data": data, **page, **(more or {})}, status, headers or {})


def made(location: str, *, replayed: bool) -> dict[str, str]:
    """The headers of what was created just now, or by an earlier request with the same key."""
    return {"Location": location, **({"Idempotent-Replayed": "true"} if replayed else {})}


def _json(body: Any, status: int, headers: Mapping[str, str]) -> Response:
    return Response(to_json(body), status, headers, media_type="application/json")


def _tags(lines: list[str]) -> list[str]:
    return [tag.strip() for tag in ",".join(lines).split(",")]


@dataclass(frozen=True)
class Known:
    """What the caller has already."""

    tags: frozenset[str]

    def unchanged(self, version: int) -> Response | None:
        """304 where that is still so."""
        if self.tags.isdisjoint({"*", etag_of(version)}):
            return None
        return Response(status_code=304, headers={"ETag": etag_of(version)})


async def read_known(
    if_none_match: Annotated[
        list[str] | None, Header(description="An ETag: 304 while the resource has not changed.")
    ] = None,
) -> Known:
    # for reading, a weak tag is as good as a strong one (RFC 9110 section 13.1.2)
    return Known(frozenset(tag.removeprefix("W/") for tag in _tags(if_none_match or [])))


IfNoneMatch = Annotated[Known, Depends(read_known)]

#: What `responses=` says of an endpoint that takes `IfNoneMatch`.
UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not changed since the `If-None-Match` tag."}
}


async def read_versions(
    if_match: Annotated[
        list[str] | None, Header(description="An ETag: 412 unless it is still the resource's.")
    ] = None,
) -> frozenset[int] | None:
    """The versions that the caller is content to change; None: any."""
    if if_match is None or "*" in (tags := _tags(if_match)):
        return None
    # a tag that is weak, or no version of ours, matches none (RFC 9110 section 13.1.1)
    inner = [tag[1:-1] for tag in tags if tag[:1] == tag[-1:] == '"']
    return frozenset(int(each) for each in inner if each.isdecimal() and len(each) < 10)


IfMatch = Annotated[frozenset[int] | None, Depends(read_versions)]


@dataclass(frozen=True)
class Once:
    """A request that may be sent twice and shall act once."""

    request: Request
    name: str | None

    def key(self, body: Any) -> IdempotencyKey | None:
        """The caller's key with the fingerprint of this request, if one was sent."""
        if self.name is None:
            return None
        return IdempotencyKey.of(self.name, self.request.method, self.request.url.path, body)


async def read_once(request: Request, key: KeyHeader = None) -> Once:
    return Once(request, key)


Idempotent = Annotated[Once, Depends(read_once)]

#: What `responses=` says of an endpoint that makes a resource.
CREATED: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "What was made."},
            "Idempotent-Replayed": {"schema": {"type": "string"}, "description": "`true`"},
        }
    }
}

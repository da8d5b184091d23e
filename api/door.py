"""The outermost layer of the API: what every request and every answer goes through, errors too."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from anyio import BrokenResourceError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import PROBLEM_MEDIA_TYPE, code_of_status, problem, problem_bytes
from api.metrics import Requests
from api.turns import Turns
from api.visit import Visit, begin_visit, visit_of
from core.ids import new_id
from core.log import log
from core.settings import Settings

MEGABYTE = 1_000_000
DEFAULT_BODY_LIMIT = MEGABYTE
#: 500 stops with their own matrix, or many jobs; the second form carries the user's id in the path.
BODY_LIMITS = (("POST", re.compile(r"/api/v1/(users/[^/]+/)?(routes|jobs:batch)"), 16 * MEGABYTE),)

#: Where a file is uploaded, and the setting that bounds it. JSON has the usual limit there too.
UPLOADS = (
    (re.compile(r"/api/v1/(users/[^/]+/)?imports"), "import_max_bytes"),
    (re.compile(r"/api/v1/(users/[^/]+/)?receipts"), "max_receipt_bytes"),
)
#: What a form has around its file: boundaries, headers, other fields. Bytes.
FORM = 100_000

#: What a page of another origin may read besides the body.
EXPOSED_HEADERS = (
    "X-Request-ID",
    "Location",
    "ETag",
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Idempotent-Replayed",
    "Preference-Applied",
)
ACCEPTED_HEADERS = (
    "Authorization",
    "Cancel-After",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "X-Queue-TTL",
    "X-Queue-Priority",
    "X-Request-ID",
    "traceparent",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
ONE_YEAR_S = 31_536_000

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACE_PARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class ClientStalled(OSError):
    """A client of an event stream left its socket unread for too long."""


class Door:
    """Request id, log line, security headers, CORS, body limits, and one shape for all errors."""

    def __init__(self, app: ASGIApp, settings: Settings, requests: Requests) -> None:
        self.settings = settings
        self._requests = requests
        origins = settings.cors_origins
        cors = CORSMiddleware(
            BodyLimit(app, settings),
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=ACCEPTED_HEADERS,
            # with "*" Starlette would allow every origin to send credentials
            allow_credentials="*" not in origins,
            expose_headers=EXPOSED_HEADERS,
        )
        # outside of CORS, because the refusal of a preflight is plain text as well
        self.app = Turns(PlainErrors(cors))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        visit = _open(scope)
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send, visit, self.settings.stream_write_timeout_s)
        try:
            await self._begin(scope, receive, answer)
            if visit.rest is not None:
                await visit.rest.serve(receive, answer.send)
        except Exception as error:
            if visit.gone and answer.is_stream and _only_pipes(error):
                return
            log.error("unhandled_error", path=scope["path"], exc_info=error)
            if not visit.status:
                await _send_problem(answer.send, scope, 500)
            elif not visit.body_done:
                raise  # the server must break the connection: half an answer is out
        finally:
            if visit.rest is not None:
                visit.rest.close()
            self._account_for(scope, visit, is_stream=answer.is_stream)

    def _account_for(self, scope: Scope, visit: Visit, *, is_stream: bool) -> None:
        seconds = time.perf_counter() - visit.started
        # the template, so that ids do not make a thousand names of one route
        route = visit.template or _template(scope)
        method = scope["method"]
        if not is_stream:
            # nor may callers invent values of a label
            known = method if method in METHODS else "other"
            self._requests.observe(known, route or "none", visit.status, seconds)
        log.info(
            "request",
            method=method,
            path=route or scope["path"],
            status=visit.status,
            duration_ms=round(seconds * 1000, 1),
        )

    async def _begin(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        own = set(scope)
        await self.app(scope, receive, answer.open)
        visit = visit_of(scope)
        if visit.rest is not None:
            visit.template = _template(scope)
            # what the frameworks left here would live as long as the stream
            for name in set(scope) - own:
                del scope[name]


def _only_pipes(error: BaseException) -> bool:
    """Whether nothing failed but FastAPI's pipe to a client of a stream, who has left."""
    if isinstance(error, BaseExceptionGroup):
        return all(_only_pipes(inner) for inner in error.exceptions)
    return isinstance(error, BrokenResourceError)


def _open(scope: Scope) -> Visit:
    headers = Headers(scope=scope)
    asked = headers.get("x-request-id", "")
    visit = begin_visit(scope, asked if _SANE_ID.fullmatch(asked) else str(new_id()))
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=visit.request_id)
    if trace := _TRACE_PARENT.fullmatch(headers.get("traceparent", "")):
        structlog.contextvars.bind_contextvars(trace_id=trace.group(1))
    return visit


def _template(scope: Scope) -> str | None:
    context = (scope.get("fastapi") or {}).get("effective_route_context")
    path = getattr(context, "path", None) or getattr(scope.get("route"), "path", None)
    return str(path) if path else None


class _Answer:
    """The way out: adds the headers, notes the status, and gives up on clients that do not read."""

    def __init__(self, scope: Scope, send: Send, visit: Visit, write_timeout_s: float) -> None:
        self._scope, self._send, self._visit = scope, send, visit
        self._write_timeout_s = write_timeout_s
        self.is_stream = False

    async def open(self, message: Message) -> None:
        """Send, except for the end of an answer whose rest comes later."""
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        if ends and self._visit.rest is not None:
            if not message.get("body"):
                return
            message = {**message, "more_body": True}
        await self.send(message)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._visit.status = message["status"]
            self._dress(message)
        elif message["type"] == "http.response.body":
            self._visit.body_done = not message.get("more_body", False)
        if not self.is_stream:
            await self._send(message)
            return
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await self._send(message)
        except TimeoutError:
            self._cut()

    def _dress(self, message: Message) -> None:
        message.setdefault("headers", [])
        headers = MutableHeaders(scope=message)
        self.is_stream = headers.get("content-type", "").startswith("text/event-stream")
        headers["X-Request-ID"] = self._visit.request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers.setdefault("Content-Security-Policy", API_POLICY)
        headers.setdefault("Cache-Control", "no-store")
        if self._scope.get("scheme") == "https":
            headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR_S}; includeSubDomains"
        for name, value in self._visit.headers.items():
            headers[name] = value

    def _cut(self) -> None:
        log.info("stream_cut", path=self._scope["path"], reason="the client does not read")
        # ASGI has no word for "break the connection", and a polite close waits for the reader
        # for ever; uvicorn's send is a method of the object that holds the transport.
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is None:
            raise ClientStalled("the client does not read")
        # no exception: the server now reports a disconnect, and the stream is cancelled as ever
        transport.abort()


class BodyLimit:
    """Refuses a body that is too large, by what it declares and by what arrives."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._uploads = [(path, int(getattr(settings, name))) for path, name in UPLOADS]

    def _limit(self, scope: Scope, media_type: str) -> int:
        method, path = scope["method"], scope["path"]
        if method == "POST" and "json" not in media_type:
            for pattern, most in self._uploads:
                if pattern.fullmatch(path):
                    return most + FORM
        return body_limit(method, path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limit(scope, headers.get("content-type", ""))
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            await _send_problem(send, scope, 413)
            return
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.disconnect":
                visit_of(scope).gone = True
            seen += len(message.get("body", b""))
            if seen > limit and visit_of(scope).status:
                return {"type": "http.disconnect"}  # too late for an answer
            if seen > limit:
                # FastAPI lets this one class through while it reads a body
                raise HTTPException(413)
            return message

        await self.app(scope, receive_counted, send)


def body_limit(method: str, path: str) -> int:
    """Largest body, in bytes, that is read for this path."""
    for verb, pattern, limit in BODY_LIMITS:
        if verb == method and pattern.fullmatch(path):
            return limit
    return DEFAULT_BODY_LIMIT


class PlainErrors:
    """Turns errors that libraries answer as plain text into the error body of the contract."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        replaced = False

        async def send_shaped(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] >= 400:
                headers = Headers(scope=message)
                if not headers.get("content-type", "").startswith(PROBLEM_MEDIA_TYPE):
                    replaced = True
                    await _send_problem(send, scope, message["status"], headers)
                    return
            if not replaced:
                await send(message)

        await self.app(scope, receive, send_shaped)


async def _send_problem(
    send: Send, scope: Scope, status: int, kept: Mapping[str, str] | None = None
) -> None:
    """Answer with the error body; `kept` are headers of the answer that it replaces."""
    body = problem_bytes(
        problem(
            status,
            code_of_status(status),
            HTTPStatus(status).description or HTTPStatus(status).phrase,
            request_id=visit_of(scope).request_id,
        )
    )
    headers = MutableHeaders({k: v for k, v in (kept or {}).items() if k != "transfer-encoding"})
    headers["Content-Type"] = PROBLEM_MEDIA_TYPE
    headers["Content-Length"] = str(len(body))
    await send({"type": "http.response.start", "status": status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})

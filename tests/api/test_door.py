"""What every answer carries, whoever gives it; and clients that do not read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent

from local.ports import free_port
from tests.api.conftest import MakeApp, Running
from tests.conftest import User

ORIGIN = "https://app.example.com"
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
LOGIN = {"email": "nobody@example.com", "password": "wrong password"}


def misbehaving(app: FastAPI) -> FastAPI:
    """The application with routes that go wrong on purpose."""

    @app.get("/test/boom")
    async def boom() -> None:
        raise RuntimeError("secret: SELECT 1 FROM users")

    @app.get("/test/half")
    async def half() -> Any:
        from starlette.responses import StreamingResponse

        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("in the middle")

        return StreamingResponse(body(), media_type="text/plain")

    @app.get("/test/stream", response_class=EventSourceResponse)
    async def stream() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(event="hello", data={})

    return app


async def too_much() -> AsyncIterator[bytes]:
    for _ in range(30):
        yield b"x" * 50_000


def dressed(answer: httpx2.Response, *, cors: bool = True) -> None:
    """Assert what every answer has in common."""
    assert answer.headers["x-request-id"]
    assert {name: answer.headers.get(name) for name in SECURITY} == SECURITY
    assert answer.headers["cache-control"]
    if cors:
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        assert "RateLimit-Policy" in answer.headers["access-control-expose-headers"]
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == answer.status_code
        assert body["request_id"] == answer.headers["x-request-id"]
        assert body["error_code"].isupper()
        assert {"type", "title", "detail"} <= body.keys()
        assert ("field_errors" in body) == (answer.status_code == 422)


ANSWERS: dict[str, tuple[int, dict[str, Any]]] = {
    "a good one": (200, {"method": "GET", "url": "/livez"}),
    "an unknown path": (404, {"method": "GET", "url": "/no/such/path"}),
    "a wrong method": (405, {"method": "PUT", "url": "/livez"}),
    "no token": (401, {"method": "GET", "url": "/api/v1/auth/me"}),
    "malformed JSON": (
        400,
        {
            "method": "POST",
            "url": "/api/v1/auth/login",
            "content": b'{"email": ',
            "headers": {"content-type": "application/json"},
        },
    ),
    "a declared size": (
        413,
        {"method": "POST", "url": "/api/v1/auth/login", "content": b"x" * 1_000_001},
    ),
    "an arriving size": (
        413,
        {
            "method": "POST",
            "url": "/api/v1/auth/login",
            "content": too_much,
            "headers": {"content-type": "application/json"},
        },
    ),
    "another media type": (
        415,
        {"method": "POST", "url": "/api/v1/auth/login", "data": {"email": "a"}},
    ),
    "no media type": (415, {"method": "POST", "url": "/api/v1/auth/login", "content": b"{}"}),
    "wrong fields": (422, {"method": "POST", "url": "/api/v1/auth/login", "json": {}}),
    "a bug": (500, {"method": "GET", "url": "/test/boom"}),
    "a stream": (200, {"method": "GET", "url": "/test/stream"}),
    "a preflight": (
        200,
        {
            "method": "OPTIONS",
            "url": "/api/v1/jobs",
            "headers": {
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization, idempotency-key",
            },
        },
    ),
}


class TestEveryAnswer:
    @pytest.mark.parametrize("name", ANSWERS)
    async def test_is_dressed(self, name: str, make_app: MakeApp, running: Running) -> None:
        status, request = ANSWERS[name]
        request = dict(request)
        if callable(request.get("content")):
            request["content"] = request["content"]()
        headers = {"origin": ORIGIN} | request.pop("headers", {})
        async with running(misbehaving(make_app(cors_origins=[ORIGIN]))) as http:
            answer = await http.request(**request, headers=headers)
        assert answer.status_code == status, answer.text
        # a preflight needs no list of what may be read
        if name == "a preflight":
            assert answer.headers["access-control-allow-origin"] == ORIGIN
        dressed(answer, cors=name != "a preflight")

    async def test_is_dressed_when_the_limit_is_reached(
        self, make_app: MakeApp, running: Running
    ) -> None:
        async with running(make_app(cors_origins=[ORIGIN], rate_limits=True)) as http:
            for _ in range(11):
                answer = await http.post(
                    "/api/v1/auth/login", json=LOGIN, headers={"origin": ORIGIN}
                )
        assert answer.status_code == 429
        dressed(answer)

    async def test_is_dressed_when_the_database_is_away(
        self, make_app: MakeApp, running: Running, user: User
    ) -> None:
        away = f"postgresql+psycopg://nobody:x@127.0.0.1:{free_port()}/nothing"
        app = make_app(cors_origins=[ORIGIN], app_database_url=away)
        async with running(app) as http:
            answer = await http.get(
                "/api/v1/auth/me",
                headers={"origin": ORIGIN, "authorization": user.http.headers["authorization"]},
            )
        assert answer.status_code == 503
        assert answer.json()["error_code"] == "STORE_UNAVAILABLE"
        assert int(answer.headers["retry-after"]) > 0
        dressed(answer)

    async def test_tells_nothing_about_a_bug(self, make_app: MakeApp, running: Running) -> None:
        async with running(misbehaving(make_app())) as http:
            answer = await http.get("/test/boom")
        assert "secret" not in answer.text
        assert "SELECT" not in answer.text
        assert "Traceback" not in answer.text

    async def test_names_the_one_who_may_read_it(self, make_app: MakeApp, running: Running) -> None:
        async with running(make_app(cors_origins=[ORIGIN])) as http:
            answer = await http.get("/livez", headers={"origin": "https://evil.example"})
            preflight = await http.options(
                "/api/v1/jobs",
                headers={
                    "origin": "https://evil.example",
                    "access-control-request-method": "POST",
                },
            )
        assert "access-control-allow-origin" not in answer.headers
        assert preflight.status_code == 400
        assert "access-control-allow-origin" not in preflight.headers
        dressed(preflight, cors=False)

    async def test_is_broken_off_when_the_rest_fails(
        self,
        make_app: MakeApp,
        serving: Callable[[FastAPI], AbstractAsyncContextManager[int]],
    ) -> None:
        async with serving(misbehaving(make_app())) as port, httpx2.AsyncClient() as http:
            with pytest.raises(httpx2.RemoteProtocolError):
                await http.get(f"http://127.0.0.1:{port}/test/half")


class TestRequestId:
    async def test_a_sane_one_is_kept(self, http: httpx2.AsyncClient) -> None:
        answer = await http.get("/livez", headers={"x-request-id": "abc-1.2_X"})
        assert answer.headers["x-request-id"] == "abc-1.2_X"

    @pytest.mark.parametrize("bad", ["", "a" * 129, "a b", 'x"y', "<script>"])
    async def test_another_one_is_replaced(self, bad: str, http: httpx2.AsyncClient) -> None:
        answer = await http.get("/livez", headers={"x-request-id": bad})
        assert answer.headers["x-request-id"] not in ("", bad)

    async def test_is_on_every_log_line_with_trace_and_user(
        self, make_app: MakeApp, running: Running, user: User
    ) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        with structlog.testing.capture_logs(
            processors=[structlog.contextvars.merge_contextvars]
        ) as lines:
            async with running(make_app()) as http:
                await http.get(
                    "/api/v1/auth/me",
                    headers={
                        "x-request-id": "mine",
                        "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
                        "authorization": user.http.headers["authorization"],
                    },
                )
        line = next(line for line in lines if line["event"] == "request")
        assert line["request_id"] == "mine"
        assert line["trace_id"] == trace
        assert line["user_id"] == user.id
        assert (line["method"], line["path"]) == ("GET", "/api/v1/auth/me")
        assert line["status"] == 200
        assert line["duration_ms"] >= 0

    async def test_the_log_names_the_template_of_a_path(
        self, make_app: MakeApp, running: Running, user: User
    ) -> None:
        with structlog.testing.capture_logs() as lines:
            async with running(make_app()) as http:
                await http.get(f"/api/v1/users/{user.id}")
        line = next(line for line in lines if line["event"] == "request")
        assert line["path"] == "/api/v1/users/{user_id}"


class TestHeaders:
    async def test_secure_transport_is_demanded_where_there_is_some(
        self, make_app: MakeApp
    ) -> None:
        app = make_app()
        transport = httpx2.ASGITransport(app)
        async with app.router.lifespan_context(app):
            for scheme, present in (("http", False), ("https", True)):
                async with httpx2.AsyncClient(
                    transport=transport, base_url=f"{scheme}://test"
                ) as http:
                    answer = await http.get("/livez")
                assert ("strict-transport-security" in answer.headers) == present

    async def test_a_stream_keeps_its_own_cache_rule(
        self, make_app: MakeApp, running: Running
    ) -> None:
        async with running(misbehaving(make_app())) as http:
            answer = await http.get("/test/stream")
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"].startswith("text/event-stream")

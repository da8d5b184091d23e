"""Errors become answers here, and only here: RFC 9457 bodies with the codes of the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from api.visit import visit_of
from core.database import store_is_away
from core.errors import AppError, NotFound, StoreUnavailable, Unauthenticated
from core.log import log

PROBLEM_MEDIA_TYPE = "application/problem+json"

#: Codes of errors that only have a status, because a library or the server raised them.
_CODE_OF_STATUS = {
    400: "MALFORMED_REQUEST",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    410: "GONE",
    412: "PRECONDITION_FAILED",
    413: "CONTENT_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    416: "RANGE_NOT_SATISFIABLE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "STORE_UNAVAILABLE",
}

#: Codes that a validator of a kind may raise instead of the general one.
_SPECIAL_CODES = {"not_supported": "NOT_SUPPORTED", "infeasible": "INFEASIBLE"}

#: Seconds until a client should come back when a store is away.
RETRY_AFTER_S = 2


class MalformedJson(AppError):
    """The body is not valid JSON in UTF-8."""

    status, code = 400, "MALFORMED_JSON"


class UnsupportedMediaType(AppError):
    """The body must be sent as application/json."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


def code_of_status(status: int) -> str:
    """The code of an error about which nothing but its status is known."""
    return _CODE_OF_STATUS.get(status, "INTERNAL_ERROR" if status >= 500 else "MALFORMED_REQUEST")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field_errors: Mapping[str, Sequence[str]] | None = None,
    request_id: str | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """The error body of the contract; a failed job's `error` adds `retryable` as an extra.

    Args:
        status: HTTP status.
        code: stable UPPER_SNAKE code; `type` and `title` follow from it.
        detail: one sentence for a person.
        field_errors: messages per wrong field; left out unless the status is 422.
        request_id: left out when there is no request.
        extra: further members, RFC 9457 section 3.2.
    """
    body: dict[str, Any] = {
        # names the error and promises no page behind it, so that it is never dead
        "type": f"urn:wheels-and-wins:error:{code.lower().replace('_', '-')}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "error_code": code,
    }
    if status == 422 and field_errors is not None:
        body["field_errors"] = {name: list(messages) for name, messages in field_errors.items()}
    if request_id is not None:
        body["request_id"] = request_id
    return body | extra


def problem_bytes(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def install_error_handlers(app: FastAPI) -> None:
    """Send every kind of error through `problem`."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(PoolTimeoutError, _on_database_error)
    # the door logs it: this handler runs for every exception that nobody else knows
    app.add_exception_handler(Exception, _on_unknown_error)


def answer(request: Request, error: AppError, **extra: Any) -> Response:
    """`error` as a response."""
    headers = dict(error.headers)
    if error.status < 400:  # an early answer, like 204 for a stream that has nothing left
        return Response(status_code=error.status, headers=headers)
    if isinstance(error, Unauthenticated):
        headers.setdefault("WWW-Authenticate", "Bearer")
    retry_after_s = error.retry_after_s
    if retry_after_s is None and isinstance(error, StoreUnavailable):
        retry_after_s = RETRY_AFTER_S
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    fields = (error.field_errors or {}) if error.status == 422 else None
    return _respond(
        request, error.status, error.code, error.detail, headers, field_errors=fields, **extra
    )


def _respond(
    request: Request,
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    request_id = visit_of(request.scope).request_id
    body = problem(status, code, detail, request_id=request_id, **members)
    return Response(problem_bytes(body), status, headers, media_type=PROBLEM_MEDIA_TYPE)


async def _on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    if error.status >= 500:
        log.warning("unavailable", code=error.code, detail=error.detail)
    return answer(request, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status == 400:  # FastAPI could not read the body: wrong encoding, nested too deep, …
        return answer(request, MalformedJson())
    detail = HTTPStatus(status).description or HTTPStatus(status).phrase
    headers = dict(error.headers or {})
    if status == 401:
        return answer(request, Unauthenticated(headers=headers))
    return _respond(request, status, code_of_status(status), detail, headers)


async def _on_database_error(request: Request, error: Exception) -> Response:
    if store_is_away(error):
        log.warning("unavailable", store="postgres", reason=type(error).__name__)
        return answer(request, StoreUnavailable("The database is not reachable right now."))
    log.error("unhandled_error", path=request.scope["path"], exc_info=error)
    return await _on_unknown_error(request, error)


async def _on_unknown_error(request: Request, _error: Exception) -> Response:
    return _respond(request, 500, "INTERNAL_ERROR", "An unexpected error occurred.")


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return answer(request, MalformedJson())
    if any(each["loc"][:1] == ("path",) for each in errors):
        # an id that cannot exist looks like one that does not
        return answer(request, NotFound())
    if isinstance(error.body, bytes) and any(each["loc"] == ("body",) for each in errors):
        # FastAPI leaves a body of another media type as it came
        return answer(request, UnsupportedMediaType())
    code, detail, fields = describe_validation(errors)
    return _respond(request, 422, code, detail, field_errors=fields)


def describe_validation(errors: Sequence[Any]) -> tuple[str, str, dict[str, list[str]]]:
    """Code, detail and messages per field of a list of pydantic's errors.

    Only messages are taken over, never the input: it may be a password.
    """
    fields: dict[str, list[str]] = {}
    for each in errors:
        fields.setdefault(_field_name(each["loc"]), []).append(_message(each))
    codes = {_SPECIAL_CODES.get(each["type"], "VALIDATION_ERROR") for each in errors}
    code = codes.pop() if len(codes) == 1 else "VALIDATION_ERROR"
    names = ", ".join(name for name in list(fields)[:5])
    more = f" and {len(fields) - 5} more" if len(fields) > 5 else ""
    return code, f"{len(fields)} field(s) are not valid: {names}{more}.", fields


def _field_name(location: Sequence[str | int]) -> str:
    """`stops.3.lat`; a problem with the body as a whole is called `body`."""
    parts = list(location)
    if len(parts) > 1 and parts[0] in ("body", "query", "header", "cookie"):
        parts = parts[1:]
    return ".".join(str(part) for part in parts)


def _message(error: Mapping[str, Any]) -> str:
    message = str(error["msg"])
    # pydantic announces the type of what our own validators raise
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")

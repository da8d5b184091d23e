"""Errors as facts: each has an HTTP status, a stable code, and survives pickling."""

from __future__ import annotations

from typing import Any, ClassVar


def problem(status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """The error body of the contract (RFC 9457), for answers and for the errors of jobs.

    Args:
        status: HTTP status.
        code: stable UPPER_SNAKE code; `type` and `title` follow from it.
        detail: one sentence for a person.
        members: further members (section 3.2).
    """
    return {
        # names the error and promises no page behind it, so that it is never dead
        "type": f"urn:wheels-and-wins:error:{code.lower().replace('_', '-')}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "error_code": code,
        **members,
    }


class AppError(Exception):
    """The request could not be served."""

    # The docstring of a subclass is its default message.
    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        field_errors: dict[str, list[str]] | None = None,
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.field_errors = field_errors
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (
            type(self),
            self.detail,
            self.field_errors,
            self.retry_after_s,
            self.headers,
        )


def _rebuild(
    cls: type[AppError],
    detail: str,
    field_errors: dict[str, list[str]] | None,
    retry_after_s: int | None,
    headers: dict[str, str],
) -> AppError:
    return cls(detail, field_errors=field_errors, retry_after_s=retry_after_s, headers=headers)


class NotFound(AppError):
    """There is no such thing, or it is not yours."""

    status, code = 404, "NOT_FOUND"


class Unauthenticated(AppError):
    """A valid access token is required."""

    status, code = 401, "UNAUTHENTICATED"


class Forbidden(AppError):
    """Your role does not allow this."""

    status, code = 403, "FORBIDDEN"


class Conflict(AppError):
    """The resource is not in a state that allows this."""

    status, code = 409, "CONFLICT"


class PreconditionFailed(AppError):
    """The resource has changed since the version that If-Match names."""

    status, code = 412, "PRECONDITION_FAILED"


class Invalid(AppError):
    """The request is well formed but not valid."""

    status, code = 422, "VALIDATION_ERROR"


class TooManyRequests(AppError):
    """Too many requests; slow down."""

    status, code = 429, "RATE_LIMITED"


class StoreUnavailable(AppError):
    """A store that this request needs is not reachable right now."""

    status, code, retryable = 503, "STORE_UNAVAILABLE", True

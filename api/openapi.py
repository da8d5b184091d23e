"""The published description of the API: one documented error, named operations, typed streams."""

from __future__ import annotations

from typing import Any

from api.errors import PROBLEM_MEDIA_TYPE
from api.schemas.base import Problem
from api.schemas.events import event_schemas, frame_schema
from api.schemas.imports import import_schemas

EVENT_STREAM = "text/event-stream"

DESCRIPTION = """\
Plan road trips, and watch the work happen.

* Sign in with `/api/v1/auth/login` and send `Authorization: Bearer <access_token>`.
* Long work answers **202** with a job: poll it, wait for it (`Prefer: wait=10`), or stream it.
* Every error is `application/problem+json` (RFC 9457); programs read `error_code`.
* What belongs to somebody else looks absent: 404, never 403.
* Paths below `/api/v1/…` also exist below `/api/v1/users/{user_id}/…` for the caller's own id.
"""

TAGS: list[dict[str, Any]] = [
    {"name": "auth", "description": "Accounts, tokens and the sessions behind them."},
    {"name": "users", "description": "A user, by id."},
    {"name": "jobs", "description": "Work for the engine room: follow, cancel, repeat."},
    {"name": "trips", "description": "Trips as they are planned, and their stops in order."},
    {"name": "vehicles", "description": "Vehicles, their fuel and their mileage."},
    {"name": "expenses", "description": "Money spent, with totals by currency."},
    {"name": "incomes", "description": "Money received, likewise."},
    {"name": "categories", "description": "What entries are sorted by: built in, and one's own."},
    {"name": "budgets", "description": "What may be spent, and what was."},
    {"name": "finance", "description": "How the books are added up, and what they say."},
    {"name": "imports", "description": "Many expenses at once, from a CSV file."},
    {"name": "exports", "description": "The books as a CSV file."},
    {"name": "reports", "description": "The books of a period or trip, as files that agree."},
    {"name": "receipts", "description": "Proofs of expenses: sent, cleaned, attached, read."},
    {"name": "routes", "description": "Road trips: submit the stops, get the plan."},
    {"name": "matrix", "description": "Driving times and distances between a few places."},
    {"name": "schedules", "description": "Requests that the clock submits, again and again."},
    {"name": "artifacts", "description": "Files that jobs made."},
    {"name": "webhooks", "description": "Addresses that are told of jobs, and what they got."},
    {
        "name": "admin",
        "description": "For the role `admin`; each action is recorded.",
    },
    {"name": "health", "description": "For operators and load balancers."},
]

_ERRORS = {
    "400": "Malformed",
    "401": "Unauthenticated",
    "403": "Forbidden",
    "404": "NotFound",
    "409": "Conflict",
    "410": "Gone",
    "412": "PreconditionFailed",
    "413": "TooLarge",
    "415": "WrongMediaType",
    "416": "OutOfRange",
    "422": "Invalid",
    "429": "TooManyRequests",
    "500": "Unexpected",
    "503": "Unavailable",
}
_TEXTS = {
    "400": "The body is not valid JSON.",
    "401": "No access token, or not a valid one.",
    "403": "Your role does not allow this (`ADMIN_REQUIRED`).",
    "404": "There is no such thing, or it is not yours.",
    "409": "What is there now stands against it.",
    "410": "It was kept until its time was over, or it is lost.",
    "412": "It is no longer what the `If-Match` tag names.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
    "416": "The file ends before the range.",
    "422": "Well formed but not valid; every wrong field is named.",
    "429": "Too many requests.",
    "500": "An unexpected error.",
    "503": "A store that this request needs is away.",
}
_HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`"}},
    "429": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    "503": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}
_VERBS = ("get", "post", "put", "patch", "delete")


def finish_openapi(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe errors as they really are sent, and streams so that every generator reads them."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.pop("ServerSentEvent", None)  # how FastAPI is told; nothing that is sent
    components["schemas"] = schemas = event_schemas() | import_schemas() | schemas
    schemas["Problem"] = Problem.model_json_schema()
    components["responses"] = {name: _response(status) for status, name in _ERRORS.items()}
    for path in schema["paths"].values():
        for verb in _VERBS:
            if verb in path:
                _finish_operation(verb, path[verb])
    schema["servers"] = [{"url": "/"}]
    return schema


def _response(status: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": _TEXTS[status],
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in _HEADERS:
        described["headers"] = _HEADERS[status]
    return described


def _finish_operation(verb: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's own shape, which is never sent
    statuses = {"500", "503"}
    if operation.setdefault("security", []):  # an empty list says: public on purpose
        statuses |= {"401"} if verb == "get" else {"401", "429"}
    if "requestBody" in operation:
        statuses |= {"400", "413", "415", "422", "429"}
    parameters = operation.get("parameters", ())
    if any(parameter["name"] == "if-match" for parameter in parameters):
        statuses |= {"412"}
    if any(parameter["name"].lower() == "idempotency-key" for parameter in parameters):
        statuses |= {"409"}  # the first request with this key is still underway
    places = {parameter["in"] for parameter in parameters}
    if "path" in places:
        statuses |= {"404"}
    if places & {"query", "header"}:
        statuses |= {"422"}
    for status in sorted(statuses):
        responses.setdefault(status, {"$ref": f"#/components/responses/{_ERRORS[status]}"})
    for answer in responses.values():
        content = answer.get("content", {})
        if EVENT_STREAM in content:
            # FastAPI writes `itemSchema` of OpenAPI 3.2; the generators in use read 3.1
            content[EVENT_STREAM] = {"schema": frame_schema()}

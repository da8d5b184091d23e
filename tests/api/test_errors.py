"""The error body: which code, which fields, and never what was sent."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from api.errors import PROBLEM_MEDIA_TYPE, code_of_status, problem
from api.schemas.base import Problem
from tests.api.conftest import MakeApp, Running
from tests.conftest import User


class TestProblem:
    def test_has_the_members_of_the_contract(self) -> None:
        body = problem(404, "NOT_FOUND", "There is no such thing.", request_id="r1")
        assert body == {
            "type": "urn:wheels-and-wins:error:not-found",
            "title": "Not found",
            "status": 404,
            "detail": "There is no such thing.",
            "error_code": "NOT_FOUND",
            "request_id": "r1",
        }
        Problem.model_validate(body)

    def test_lists_fields_only_on_422(self) -> None:
        fields = {"stops.3.lat": ["too far north"]}
        assert problem(422, "X", "x", field_errors=fields)["field_errors"] == fields
        assert problem(422, "X", "x", field_errors={})["field_errors"] == {}
        assert "field_errors" not in problem(409, "X", "x", field_errors=fields)

    def test_of_a_job_says_whether_to_try_again(self) -> None:
        body = problem(500, "WORKER_LOST", "The worker died.", retryable=True)
        assert body["retryable"] is True
        assert "request_id" not in body

    def test_every_status_has_a_code(self) -> None:
        assert code_of_status(418) == "MALFORMED_REQUEST"
        assert code_of_status(502) == "INTERNAL_ERROR"


class Stop(BaseModel):
    """A place."""

    lat: float
    lon: float


class Trip(BaseModel):
    """A body whose validator names several fields with codes of their own."""

    stops: list[Stop] = []
    wrong: dict[str, str] = {}

    @model_validator(mode="after")
    def _refuse(self) -> Trip:
        if self.wrong:
            raise ValidationError.from_exception_data(
                "Trip",
                [
                    InitErrorDetails(
                        type=PydanticCustomError(kind, "no"), loc=(field,), input="secret"
                    )
                    for field, kind in self.wrong.items()
                ],
            )
        return self


def with_trips(app: FastAPI) -> FastAPI:
    @app.post("/test/trips")
    async def post(trip: Trip, page: int = 1) -> Any:
        return trip

    return app


class TestValidation:
    async def test_names_every_wrong_field_at_once(
        self, make_app: MakeApp, running: Running
    ) -> None:
        async with running(with_trips(make_app())) as http:
            answer = await http.post(
                "/test/trips?page=x", json={"stops": [{"lat": 1, "lon": 2}, {"lat": "north"}]}
            )
        assert answer.status_code == 422
        body = answer.json()
        assert body["error_code"] == "VALIDATION_ERROR"
        assert set(body["field_errors"]) == {"stops.1.lat", "stops.1.lon", "page"}
        assert "north" not in answer.text

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"limits": "not_supported"}, "NOT_SUPPORTED"),
            ({"limits": "not_supported", "trip_id": "not_supported"}, "NOT_SUPPORTED"),
            ({"stops": "infeasible"}, "INFEASIBLE"),
            ({"stops": "infeasible", "limits": "not_supported"}, "VALIDATION_ERROR"),
        ],
    )
    async def test_takes_the_code_on_which_all_agree(
        self, wrong: dict[str, str], code: str, make_app: MakeApp, running: Running
    ) -> None:
        async with running(with_trips(make_app())) as http:
            answer = await http.post("/test/trips", json={"wrong": wrong})
        assert answer.status_code == 422
        assert answer.json()["error_code"] == code
        assert set(answer.json()["field_errors"]) == set(wrong)
        assert "secret" not in answer.text

    async def test_never_repeats_a_password(self, http: httpx2.AsyncClient) -> None:
        secret = "hunter2"
        answer = await http.post(
            "/api/v1/auth/signup", json={"email": "x", "password": secret, "admin": True}
        )
        assert answer.status_code == 422
        assert set(answer.json()["field_errors"]) == {"email", "password", "admin"}
        assert secret not in answer.text


class TestBody:
    @pytest.mark.parametrize(
        "body",
        [b"{", b"\xff\xfe", b'{"email": "\xff"}', b"[" * 100_000, b"nonsense"],
        ids=["cut off", "not UTF-8", "half UTF-8", "too deep", "no JSON"],
    )
    async def test_that_is_not_json_is_malformed(
        self, body: bytes, http: httpx2.AsyncClient
    ) -> None:
        answer = await http.post(
            "/api/v1/auth/login", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400
        assert answer.json()["error_code"] == "MALFORMED_JSON"

    async def test_json_of_the_wrong_shape_is_invalid(self, http: httpx2.AsyncClient) -> None:
        answer = await http.post("/api/v1/auth/login", json=["a"])
        assert answer.status_code == 422
        assert list(answer.json()["field_errors"]) == ["body"]

    @pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800", "\\udfff x"])
    async def test_text_that_postgres_cannot_store_is_refused_by_field(
        self, text: str, http: httpx2.AsyncClient
    ) -> None:
        body = f'{{"email": "a@example.com", "password": "12345678", "display_name": "{text}"}}'
        answer = await http.post(
            "/api/v1/auth/signup",
            content=body.encode(),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 422
        assert list(answer.json()["field_errors"]) == ["display_name"]

    async def test_text_that_only_looks_like_it_is_kept(
        self, make_app: MakeApp, running: Running
    ) -> None:
        async with running(with_trips(make_app())) as http:
            for text in ("\\\\u0000", "\\ud83d\\ude80", "é"):  # a backslash, a rocket, a letter
                answer = await http.post(
                    "/test/trips",
                    content=f'{{"unknown": ["{text}"]}}'.encode(),
                    headers={"content-type": "application/json"},
                )
                assert answer.status_code == 200, answer.text

    async def test_it_is_found_however_deep(self, make_app: MakeApp, running: Running) -> None:
        async with running(with_trips(make_app())) as http:
            answer = await http.post("/test/trips", json={"a": [{"b": "x"}, {"b": ["\0"]}]})
            query = await http.post("/test/trips?tag=%00", json={})
        assert list(answer.json()["field_errors"]) == ["a.1.b.0"]
        assert query.status_code == 422
        assert list(query.json()["field_errors"]) == ["tag"]


class TestAbsence:
    async def test_an_impossible_id_looks_like_an_unknown_one(self, user: User) -> None:
        bodies = []
        for job_id in ("0", "%00", "not-an-id", "01a1fd81-bcfb-70b2-966b-015b4c455be7"):
            answer = await user.http.get(f"/api/v1/auth/sessions/{job_id}")
            assert answer.status_code == 405  # there is no GET, whatever the id
            answer = await user.http.delete(f"/api/v1/auth/sessions/{job_id}")
            assert answer.status_code == 404
            body = answer.json()
            del body["request_id"]
            bodies.append(body)
        assert all(body == bodies[0] for body in bodies)

    async def test_whoever_is_unknown_learns_nothing_from_ids(
        self, http: httpx2.AsyncClient
    ) -> None:
        answer = await http.delete("/api/v1/auth/sessions/not-an-id")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


class TestDescription:
    async def test_documents_one_error_body_everywhere(self, http: httpx2.AsyncClient) -> None:
        schema = (await http.get("/openapi.json")).json()
        named = schema["components"]["responses"]
        assert set(schema["components"]["schemas"]) >= {"Problem"}
        assert "HTTPValidationError" not in str(schema)
        assert "itemSchema" not in str(schema)
        for path, operations in schema["paths"].items():
            for verb, operation in operations.items():
                for status, answer in operation["responses"].items():
                    if int(status) >= 400:
                        name = answer["$ref"].rsplit("/", 1)[1]
                        assert list(named[name]["content"]) == [PROBLEM_MEDIA_TYPE]
                assert "500" in operation["responses"], (path, verb)

    async def test_operations_have_names_and_tags_are_described(
        self, http: httpx2.AsyncClient
    ) -> None:
        schema = (await http.get("/openapi.json")).json()
        described = {tag["name"] for tag in schema["tags"]}
        names = []
        for operations in schema["paths"].values():
            for operation in operations.values():
                (tag,) = operation["tags"]
                assert tag in described
                assert operation["operationId"].startswith(f"{tag}_")
                assert operation["summary"]
                assert operation["description"]
                names.append(operation["operationId"])
        assert len(names) == len(set(names))

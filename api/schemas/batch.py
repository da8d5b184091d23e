"""The body of a batch: jobs of any kind, each with the input that its own route takes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from api.intake import INTAKES
from api.schemas.base import Body
from services.jobs.batch import MAX_BATCH
from tasks.plan_route.contract.values import Label


def _known(kind: str) -> str:
    if kind not in INTAKES:
        raise PydanticCustomError(
            "kind_unknown", "There is no such kind; known are {kinds}", {"kinds": _kinds()}
        )
    return kind


def _kinds() -> str:
    return ", ".join(sorted(INTAKES))


class _InputOfKind:
    """Validates an input by the `kind` beside it. Its errors keep their fields: `stops.1.lat`."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read)

    def _read(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        intake = INTAKES.get(info.data.get("kind", ""))
        # a kind that is unknown has been refused already
        return value if intake is None else intake.body.validate_python(value)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        bodies = [INTAKES[name].body.core_schema for name in sorted(INTAKES)]
        # the handler is that of an annotated value; only inside of this it is a model's again
        described = [handler(core_schema.definitions_schema(each, [])) for each in bodies]
        return described[0] if len(described) == 1 else {"anyOf": described}


class BatchJob(Body):
    """One job of a batch."""

    kind: Annotated[str, AfterValidator(_known)] = Field(
        description="As in the job object.",
        json_schema_extra=lambda schema: schema.update(enum=[*sorted(INTAKES)]),
    )
    input: Annotated[Any, _InputOfKind()] = Field(
        description="What the route of the kind takes, with its own `tags` and `supersedes`."
    )
    tags: list[Label] = Field(
        default_factory=list, max_length=20, description="Besides those of the input."
    )


_EXAMPLE: dict[str, Any] = {
    "kind": "plan_route",
    "input": {
        "start": {"name": "Sydney", "lat": -33.87, "lon": 151.21},
        "stops": [
            {"id": "a", "name": "Orange", "lat": -33.28, "lon": 149.1},
            {"id": "b", "name": "Dubbo", "lat": -32.24, "lon": 148.6},
        ],
        "depart_at": "2026-03-01T08:00:00+11:00",
        "supersedes": "inland",
    },
    "tags": ["holidays"],
}


class BatchBody(Body):
    """Jobs to accept together."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"jobs": [_EXAMPLE]}]})

    jobs: list[BatchJob] = Field(min_length=1, max_length=MAX_BATCH)

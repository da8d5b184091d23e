"""PATCH as a JSON merge (RFC 7396): what is sent replaces, null resets, the rest stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, GetJsonSchemaHandler, ValidationError, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


def merge(target: Any, patch: Any) -> Any:
    """`target` with `patch` merged in, both JSON values (RFC 7396 section 2)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def revised(model: type[BaseModel], stored: Mapping[str, Any], patch: Mapping[str, Any]) -> Any:
    """What is stored with a patch merged in, as valid as if it had been sent whole.

    Raises:
        RequestValidationError: names every wrong field.
    """
    try:
        return model.model_validate(merge(stored, patch))
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found, body=patch) from None


class PatchOf:
    """Annotates a JSON object that is merged into a `model`: described field by field."""

    def __init__(self, model: type[BaseModel]) -> None:
        optional: dict[str, Any] = {
            name: (field.rebuild_annotation(), None) for name, field in model.model_fields.items()
        }
        self.described = create_model(
            model.__name__.removesuffix("New") + "Patch", __config__=model.model_config, **optional
        )
        self.described.__doc__ = "The fields to change; `null` resets one (RFC 7396)."

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = self.described.__pydantic_core_schema__
        # the handler is that of the annotated dict; only inside of this it is a model's again
        return handler(core_schema.definitions_schema(described, []))

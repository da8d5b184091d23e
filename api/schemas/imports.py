"""How an import is posted: as a file with options, in a form or alone; or as a file from before."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from api.schemas.events import REFERENCE
from tasks.import_expenses.contract import ImportOptions, ImportRequest, ImportResult

_REQUEST, _OPTIONS = (
    {"$ref": REFERENCE.format(model=model.__name__)} for model in (ImportRequest, ImportOptions)
)
_CSV = {"type": "string", "format": "binary", "description": "A CSV file."}

#: The body of `POST /imports`, of which FastAPI must not read a byte by itself.
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": _CSV, "options": _OPTIONS},
                "required": ["file"],
            },
            "encoding": {"options": {"contentType": "application/json"}},
        },
        "text/csv": {"schema": _CSV},
        "application/json": {"schema": _REQUEST},
    },
}


def import_schemas() -> dict[str, Any]:
    """Component schemas that `BODY` names, and that of the result."""
    _, made = models_json_schema(
        [
            (ImportRequest, "validation"),
            (ImportOptions, "validation"),
            (ImportResult, "serialization"),
        ],
        ref_template=REFERENCE,
    )
    schemas: dict[str, Any] = made["$defs"]
    return schemas

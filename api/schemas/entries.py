"""What all entries of the books look like on their way out, and the values they share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from services.jobs.shown import UtcTime
from services.records import Record
from tasks.plan_route.contract.values import Label, Model


def _distinct(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Category = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(description="The key of a category.", examples=["fuel"]),
]
Tags = Annotated[list[Label], Field(max_length=20), AfterValidator(_distinct)]
Note = Annotated[str, StringConstraints(max_length=4_000)]


class EntryRead(Model):
    """What we know of an entry beside what its owner has written."""

    id: UUID
    version: int = Field(description="Grows with every change; the ETag.")
    created_at: UtcTime
    updated_at: UtcTime
    deleted_at: UtcTime | None = Field(description="Only in a list of deleted ones.")


def entry_shown(entry: Record) -> dict[str, Any]:
    """What its owner has written, and the fields of `EntryRead`. Times are in UTC."""
    own = ("version", "created_at", "updated_at", "deleted_at")
    shown = {"id": entry.id, **entry.written(), **{name: getattr(entry, name) for name in own}}
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in shown.items()
    }

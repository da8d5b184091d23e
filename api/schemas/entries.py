"""What all entries of the books look like on their way out, and the values they share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from services.jobs.shown import UtcTime
from services.records import Record
from tasks.import_expenses.contract.expense import Category as Category
from tasks.import_expenses.contract.expense import Note as Note
from tasks.import_expenses.contract.expense import Tags as Tags
from tasks.plan_route.contract.values import Model


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

"""Categories, as they come in and go out."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.entries import entry_shown
from services.books.builtin import CATEGORIES, Side
from services.books.categories import CategoryView
from services.jobs.shown import UtcTime
from tasks.plan_route.contract.values import Model

Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=64, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
SideName = Literal["expense", "income"]


class CategoryNew(Model):
    """A category of one's own."""

    name: Name
    side: SideName = "expense"

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        return self.model_dump()


class CategoryPatch(Model):
    """Another name; entries keep the category, for its key stays."""

    name: Name


class CategoryRead(Model):
    """A category; a built-in one has no id and never changes."""

    id: UUID | None
    key: str = Field(description="What entries call it; it never changes.")
    name: str
    side: SideName
    built_in: bool
    version: int | None = None
    created_at: UtcTime | None = None
    updated_at: UtcTime | None = None
    deleted_at: UtcTime | None = Field(None, description="When it was archived.")


def category_shown(category: CategoryView) -> dict[str, Any]:
    """The fields of `CategoryRead`."""
    return {**entry_shown(category), "key": category.key, "built_in": False}


def built_in(side: Side) -> list[dict[str, Any]]:
    """The fields of `CategoryRead` of those that everybody has."""
    unset = dict.fromkeys(("id", "version", "created_at", "updated_at", "deleted_at"))
    return [
        {**unset, "key": key, "name": name, "side": side.value, "built_in": True}
        for key, name in CATEGORIES[side].items()
    ]

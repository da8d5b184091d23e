"""Categories: list with the built-in ones, make, read, rename, archive."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.answers import (
    CREATED,
    UNCHANGED,
    Idempotent,
    IfMatch,
    IfNoneMatch,
    made,
    many,
    one,
)
from api.deps import CurrentUser, Db, PageQuery
from api.schemas.base import One, Page
from api.schemas.categories import (
    CategoryNew,
    CategoryPatch,
    CategoryRead,
    SideName,
    built_in,
    category_shown,
)
from core.database import perform_async
from services.books import categories
from services.books.builtin import Side

router = APIRouter(prefix="/categories", tags=["categories"])


@router.post("", status_code=201, response_model=One[CategoryRead], responses=CREATED)
async def create_category(
    new: CategoryNew, user: CurrentUser, db: Db, once: Idempotent
) -> Response:
    """Make a category. Its key is made of its name; 409 where there is one of that key."""
    key = once.key(new.model_dump(mode="json"))
    result = await perform_async(db, categories.create(user.id, new.columns(), key=key))
    category = await perform_async(db, categories.RECORDS.read(user.id, result.id))
    headers = made(f"/api/v1/categories/{category.id}", replayed=result.replayed)
    return one(category_shown(category), version=category.version, status=201, headers=headers)


@router.get("", response_model=Page[CategoryRead])
async def list_categories(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    side: SideName = "expense",
    archived: Annotated[bool, Query(description="The archived ones instead.")] = False,
) -> Response:
    """The built-in categories, then the caller's own by name."""
    own = await perform_async(db, categories.all_own(user.id, archived=archived))
    found = [] if archived else built_in(Side(side))
    found += [category_shown(each) for each in own if each.side == side]
    page = found[paging.offset : paging.offset + paging.page_size]
    return many(page, len(found), paging)


@router.get("/{category_id}", response_model=One[CategoryRead], responses=UNCHANGED)
async def read_category(
    category_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch
) -> Response:
    """One category of the caller's own."""
    found = await perform_async(db, categories.RECORDS.read(user.id, category_id))
    return known.unchanged(found.version) or one(category_shown(found), version=found.version)


@router.patch("/{category_id}", response_model=One[CategoryRead])
async def rename_category(
    category_id: UUID, patch: CategoryPatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Call it something else; what was entered under it stays there."""

    def revise(category: categories.CategoryView) -> dict[str, object]:
        return {**category.written(), "name": patch.name}

    found = await perform_async(db, categories.rename(user.id, category_id, revise, versions))
    return one(category_shown(found), version=found.version)


@router.delete("/{category_id}", status_code=204)
async def archive_category(category_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Archive it: nothing new may be entered under it; what was, stays."""
    await perform_async(db, categories.RECORDS.delete(user.id, category_id, versions))


@router.post("/{category_id}/restore", response_model=One[CategoryRead])
async def restore_category(category_id: UUID, user: CurrentUser, db: Db) -> Response:
    """Take an archived category up again. Idempotent."""
    found = await perform_async(db, categories.RECORDS.restore(user.id, category_id))
    return one(category_shown(found), version=found.version)

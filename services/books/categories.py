"""Categories: those that everybody has, and those of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy.exc import DBAPIError

from core.database import Steps
from models.base import metadata
from models.book import Category
from services.books.builtin import CATEGORIES, Side
from services.books.errors import CategoryExists, CategoryNotFound, TooManyCategories
from services.idempotency import IdempotencyKey
from services.records import Made, Record, Records, Versions

TABLE: Table = metadata.tables[str(Category.__tablename__)]
#: How many categories of their own somebody may have, archived ones counted.
MOST = 200


@dataclass(frozen=True)
class CategoryView(Record):
    """A category of one's own. Entries name it by its key, which stays when it is renamed."""

    WRITTEN: ClassVar[tuple[str, ...]] = ("name", "side")

    key: str
    name: str
    side: str


RECORDS = Records(TABLE, CategoryView, CategoryNotFound)


def key_of(name: str) -> str:
    """What entries call a category: `Wine & cheese` is `wine_cheese`."""
    return re.sub(r"\W+", "_", name.casefold()).strip("_")[:64] or "category"


def is_known(owner_id: UUID, side: Side, key: str) -> Steps[bool]:
    """Whether an entry may have this category: built in, or one's own and not archived."""
    if key in CATEGORIES[side]:
        return True
    wanted = select(TABLE.c.id).where(
        *RECORDS.of(owner_id), TABLE.c.side == side, TABLE.c.key == key
    )
    return (yield wanted).first() is not None


def create(
    owner_id: UUID, columns: dict[str, Any], *, key: IdempotencyKey | None = None
) -> Steps[Made]:
    """Make a category.

    Raises:
        CategoryExists, TooManyCategories.
        KeyReused, KeyInFlight: see `take_key`.
    """
    try:
        return (yield from RECORDS.create(owner_id, _fresh(owner_id, columns), key=key))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "23505":  # another request was faster
            raise CategoryExists from None
        raise


def _fresh(owner_id: UUID, columns: dict[str, Any]) -> Steps[dict[str, Any]]:
    key, side = key_of(columns["name"]), Side(columns["side"])
    if key in CATEGORIES[side]:
        raise CategoryExists
    own = TABLE.c.owner_id == owner_id
    there = (yield select(TABLE.c.side, TABLE.c.key).where(own)).all()
    if len(there) >= MOST:
        raise TooManyCategories(f"You have {MOST} categories of your own already.")
    if (side, key) in {(row.side, row.key) for row in there}:
        raise CategoryExists
    return {**columns, "key": key}


def rename(
    owner_id: UUID,
    category_id: UUID,
    revise: Callable[[CategoryView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[CategoryView]:
    """Call a category something else; what has been entered under it stays there.

    Raises:
        CategoryNotFound, PreconditionFailed.
    """
    return (yield from RECORDS.change(owner_id, category_id, revise, versions))


def all_own(owner_id: UUID, *, archived: bool = False) -> Steps[list[CategoryView]]:
    """The owner's categories by name: those in use, or those that are archived."""
    order = [func.lower(TABLE.c.name), TABLE.c.id]
    conditions = RECORDS.of(owner_id, deleted=archived)
    return (yield from RECORDS.page(conditions, order, limit=MOST, offset=0))

"""What an entry of the books points at: a category, and a trip of the same owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core.database import Steps
from core.errors import Invalid
from services.books import categories
from services.books.builtin import Side
from services.trips.views import TRIPS


def check(
    owner_id: UUID,
    side: Side,
    columns: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> Steps[None]:
    """Refuse what an entry cannot point at.

    Args:
        columns: of the entry, with `trip_id` and `category`.
        before: what it said until now; what stays is not asked about again.

    Raises:
        Invalid: names every field that points nowhere.
    """
    wrong: dict[str, list[str]] = {}
    old = before or {}
    category, trip_id = columns["category"], columns["trip_id"]
    if category not in (None, old.get("category")):
        known = yield from categories.is_known(owner_id, side, category)
        if not known:
            wrong["category"] = ["There is no such category"]
    if trip_id is not None and trip_id != old.get("trip_id"):
        wanted = select(TRIPS.c.id).where(
            TRIPS.c.id == trip_id, TRIPS.c.owner_id == owner_id, TRIPS.c.deleted_at.is_(None)
        )
        if (yield wanted).first() is None:
            wrong["trip_id"] = ["There is no such trip"]
    if wrong:
        raise Invalid(field_errors=wrong)

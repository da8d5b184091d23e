"""Files of expenses, read without a database: the books are empty, and know all categories."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from core.ids import new_id
from services.books.builtin import CATEGORIES, Side
from services.books.categories import key_of
from services.books.rates import UNCONVERTED
from tasks.import_expenses.contract import ImportRequest
from tasks.import_expenses.engine import Bounds, Checked, read_file
from tasks.import_expenses.engine.books import Categories, Entry, Trips, Twins
from tests.tasks.plan_route.asking import FakeRun


class EmptyBooks:
    """`Books` without an entry."""

    def __init__(self, trips: Sequence[UUID] = (), **titles: UUID | None) -> None:
        self.base: str | None = None
        self.categories = Categories(
            {key: key for key in CATEGORIES[Side.EXPENSE]}, frozenset({"old"}), 5, key_of
        )
        self.trips = Trips(frozenset(trips), titles)

    def twins(self, entries: Sequence[Entry]) -> list[Twins | None]:
        return [None] * len(entries)

    def converted(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        return [UNCONVERTED] * len(entries)


def read(
    path: Path,
    books: EmptyBooks | None = None,
    run: FakeRun | None = None,
    lines: int = 1000,
    errors: int = 5,
    **options: Any,
) -> Checked:
    request = ImportRequest(file_id=UUID(int=1), **options)
    bounds = Bounds(lines=lines, errors=errors)
    return read_file(
        path,
        request,
        books=books or EmptyBooks(),
        run=run or FakeRun(),
        bounds=bounds,
        new_id=new_id,
    )


def rows_of(checked: Checked) -> list[dict[str, Any]]:
    """What would be written."""
    return [row for batch in checked.rows.batches(1000) for row in json.loads(batch)]

"""All entries that a list would show, page after page, in the order of the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from core.database import Steps
from services.books import expenses, incomes
from services.books.ledger import Filter, Ledger
from services.trips.views import TRIPS

LEDGERS: dict[str, Ledger[Any]] = {"expenses": expenses.LEDGER, "incomes": incomes.LEDGER}
#: Rows that are fetched at once.
FETCHED = 1_000


def count(owner_id: UUID, entries: str, which: Filter) -> Steps[int]:
    """How many entries there are."""
    ledger = LEDGERS[entries]
    own = ledger.conditions(owner_id, which)
    return int((yield select(func.count()).select_from(ledger.table).where(*own)).scalar_one())


def every(owner_id: UUID, entries: str, which: Filter) -> Steps[Iterator[Mapping[str, Any]]]:
    """All of them as they are at this moment, by column, with the title of the trip as `trip`.

    Returns:
        An iterator over a server-side cursor, which lasts as long as the transaction.
    """
    ledger = LEDGERS[entries]
    trip = (TRIPS.c.id == ledger.table.c.trip_id) & (TRIPS.c.owner_id == owner_id)
    wanted = (
        select(ledger.table, TRIPS.c.title.label("trip"))
        .outerjoin(TRIPS, trip)
        .where(*ledger.conditions(owner_id, which))
        .order_by(*ledger.order(which.sort))
        .execution_options(stream_results=True, yield_per=FETCHED)
    )
    return (row._asdict() for row in (yield wanted))

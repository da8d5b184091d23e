"""The books of the job's owner, as the engine asks for them; no transaction outlives a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from core.database import Database, Steps, perform
from services.books import finance, imports
from services.books.categories import key_of
from tasks.import_expenses.engine.books import Categories, Entry, Trips, Twins


class OwnersBooks:
    """`Books`, read from Postgres as role `app`."""

    def __init__(self, database: Database, owner_id: UUID) -> None:
        self._database, self._owner_id = database, owner_id
        with database.transaction(owner_id) as session:
            self.base = perform(session, finance.read(owner_id)).currency
            names = perform(session, imports.names(owner_id))
        self.categories = Categories(names.categories, names.archived, names.room, key_of)
        titles: dict[str, UUID | None] = {}
        for trip_id, title in names.trips:
            titles[title] = None if title in titles else trip_id
        self.trips = Trips(frozenset(trip_id for trip_id, _ in names.trips), titles)

    def twins(self, entries: Sequence[Entry]) -> list[Twins | None]:
        with self._database.transaction(self._owner_id) as session:
            found = perform(session, imports.twins(self._owner_id, entries))
        return [None if each is None else Twins(each.count, each.example) for each in found]

    def converted(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        steps: Steps[list[dict[str, Any]]] = imports.conversions(self.base, entries)
        with self._database.transaction(self._owner_id) as session:
            return perform(session, steps)

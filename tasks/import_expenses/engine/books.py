"""What an import has to know of its owner's books, and to ask of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

#: The columns of an expense that is to be written, as `ExpenseNew.columns` has them.
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Categories:
    """The categories of expenses.

    Attributes:
        by_name: keys by key and by name, the latter without regard to case.
        archived: keys that no new entry may have.
        room: how many more there may be.
        key_of: the key that a new one would have.
    """

    by_name: Mapping[str, str]
    archived: frozenset[str]
    room: int
    key_of: Callable[[str], str]


@dataclass(frozen=True)
class Trips:
    """The trips that an expense may belong to; under a title that several have, there is None."""

    ids: frozenset[UUID]
    by_title: Mapping[str, UUID | None]


@dataclass(frozen=True)
class Twins:
    """Entries that are there already and look like a new one: how many, and one of them."""

    count: int
    example: UUID


class Books(Protocol):
    """The books of one owner, as they are while a file is read."""

    #: The base currency; None: nothing is converted.
    base: str | None
    categories: Categories
    trips: Trips

    def twins(self, entries: Sequence[Entry]) -> list[Twins | None]:
        """Which entries are there already, by day, amount, currency and `words`."""
        ...

    def converted(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """The columns of each in the base currency, at the rate of its day."""
        ...


def words(entry: Entry) -> str:
    """By what two entries of the same amount are told apart."""
    return str(entry["vendor"] or entry["description"])

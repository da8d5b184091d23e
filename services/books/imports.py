"""Many expenses at once: what they are checked against, and the one commit that writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from core.database import Steps, bind
from core.errors import Conflict
from core.ids import new_id
from services.books import categories, finance
from services.books.builtin import CATEGORIES, Side
from services.books.rates import Wanted, converted, look_up
from services.trips.views import TRIPS

#: Rows that one statement writes: a twentieth of a second of Postgres, and a megabyte.
BATCH = 2_000


class BooksChanged(Conflict):
    """Base currency, categories or trips changed while a file was read."""

    code = "BOOKS_CHANGED"


@dataclass(frozen=True)
class Names:
    """What entries may point at, by the names that people use.

    Attributes:
        categories: keys by key and by name without regard to case.
        archived: keys of categories that no new entry may have.
        room: how many categories more there may be.
        trips: ids and titles.
    """

    categories: dict[str, str]
    archived: frozenset[str]
    room: int
    trips: list[tuple[UUID, str]]


def names(owner_id: UUID) -> Steps[Names]:
    """What an expense of this owner may point at."""
    built_in = CATEGORIES[Side.EXPENSE]
    used = yield from categories.all_own(owner_id)
    archived = yield from categories.all_own(owner_id, archived=True)
    own = [each for each in used if each.side == Side.EXPENSE]
    by_name = {each.name.casefold(): each.key for each in own}
    # a key goes before a name, and what is built in before one's own
    by_name |= {name.casefold(): key for key, name in built_in.items()}
    by_name |= {each.key: each.key for each in own} | {key: key for key in built_in}
    living = select(TRIPS.c.id, TRIPS.c.title).where(
        TRIPS.c.owner_id == owner_id, TRIPS.c.deleted_at.is_(None)
    )
    trips = [(row.id, row.title) for row in (yield living).all()]
    return Names(
        by_name,
        frozenset(each.key for each in archived if each.side == Side.EXPENSE),
        categories.MOST - len(used) - len(archived),
        trips,
    )


# The aggregate keeps the planner from turning the join around: books that were filled a moment
# ago look empty to it, and it would compare each of their rows with each line.
_TWINS = text("""
SELECT wanted.n, found.count, found.example
FROM unnest(CAST(:days AS date[]), CAST(:amounts AS numeric[]), CAST(:currencies AS text[]),
        CAST(:words AS text[])) WITH ORDINALITY AS wanted (day, amount, currency, words, n)
CROSS JOIN LATERAL (
    SELECT count(*) AS count, min(CAST(e.id AS text)) AS example FROM expenses e
    WHERE e.owner_id = :owner AND e.spent_on = wanted.day AND e.deleted_at IS NULL
        AND e.amount = wanted.amount AND e.currency = wanted.currency
        AND lower(coalesce(nullif(e.vendor, ''), e.description)) = lower(wanted.words)
) AS found
WHERE found.count > 0
""")


@dataclass(frozen=True)
class Like:
    """How many entries of the books are like a new one, and one of them."""

    count: int
    example: UUID


def twins(owner_id: UUID, entries: Sequence[Mapping[str, Any]]) -> Steps[list[Like | None]]:
    """Which entries are there already: of the same day, amount, currency and vendor, or, where
    there is no vendor, description; without regard to case."""
    found = yield bind(
        _TWINS,
        owner=owner_id,
        days=[each["spent_on"] for each in entries],
        amounts=[each["amount"] for each in entries],
        currencies=[each["currency"] for each in entries],
        words=[each["vendor"] or each["description"] for each in entries],
    )
    likes = {row.n: Like(row._mapping["count"], UUID(row.example)) for row in found.all()}
    return [likes.get(n) for n in range(1, len(entries) + 1)]


def conversions(
    base: str | None, entries: Sequence[Mapping[str, Any]]
) -> Steps[list[dict[str, Any]]]:
    """The columns of expenses in the base currency, each at the rate of its day."""
    if base is None or not entries:
        return [converted(each["amount"], None, None) for each in entries]
    wanted = [Wanted(each["currency"], each["spent_on"], each["exchange"]) for each in entries]
    rates = yield from look_up(base, wanted)
    return [
        converted(entry["amount"], base, rate) for entry, rate in zip(entries, rates, strict=True)
    ]


_MAKE = text("""
INSERT INTO expenses (id, owner_id, trip_id, amount, currency, exponent, category, spent_on, days,
    spent_at, zone, description, vendor, note, payment_method, tags, place, travellers, exchange,
    base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)
SELECT id, :owner, trip_id, amount, currency, exponent, category, spent_on, days,
    spent_at, zone, description, vendor, note, payment_method, tags, place, travellers, exchange,
    base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source
FROM json_to_recordset(CAST(:rows AS json)) AS new (id uuid, trip_id uuid, amount numeric,
    currency text, exponent integer, category text, spent_on date, days integer,
    spent_at timestamptz, zone text, description text, vendor text, note text,
    payment_method text, tags text[], place jsonb, travellers jsonb, exchange jsonb,
    base_currency text, base_exponent integer, base_amount numeric, fx_rate numeric,
    fx_date date, fx_source text)
""")


def write(
    owner_id: UUID,
    batches: Iterable[str],
    *,
    base: str | None,
    keys: Collection[str],
    trips: Collection[UUID],
    made: Mapping[str, str],
) -> Steps[None]:
    """Write expenses that were checked before.

    Args:
        batches: JSON lists of rows.
        base: the currency that the rows are converted into.
        keys, trips: categories and trips that the rows name.
        made: names of the new categories among them, by key.

    Raises:
        BooksChanged: what they were checked against is no longer so.
    """
    settings = yield from finance.read(owner_id, hold=True)
    if settings.currency != base:
        raise BooksChanged
    if made:
        yield from _make_categories(owner_id, made)
    known = yield from names(owner_id)
    if not set(keys) <= set(known.categories.values()):
        raise BooksChanged
    if not set(trips) <= {trip_id for trip_id, _ in known.trips}:
        raise BooksChanged
    for rows in batches:
        yield bind(_MAKE, owner=owner_id, rows=rows)


def _make_categories(owner_id: UUID, made: Mapping[str, str]) -> Steps[None]:
    """Make those that nobody else made meanwhile."""
    rows = [
        {"id": new_id(), "owner_id": owner_id, "side": Side.EXPENSE, "key": key, "name": name}
        for key, name in made.items()
    ]
    yield insert(categories.TABLE).values(rows).on_conflict_do_nothing()

"""The settings of somebody's books: the base currency, into which all is converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, select, text
from sqlalchemy.dialects.postgresql import insert

from core.database import Steps, bind
from models.base import metadata
from models.book import Expense, FinanceSettings, Income
from services.books.rates import UNCONVERTED, Wanted, converted, look_up
from services.records import Versions, expect

SETTINGS: Table = metadata.tables[str(FinanceSettings.__tablename__)]
#: What is converted, and the column of its day.
CONVERTED: tuple[tuple[Table, str], ...] = (
    (metadata.tables[str(Expense.__tablename__)], "spent_on"),
    (metadata.tables[str(Income.__tablename__)], "received_on"),
)
#: Entries that are converted by one statement.
BATCH = 2_000


@dataclass(frozen=True)
class Settings:
    """How the books are added up.

    Attributes:
        currency: None: nothing is converted.
        zone: decides which day is today.
        version: 0 before they were ever set.
    """

    currency: str | None = None
    zone: str = "UTC"
    version: int = 0


def read(owner_id: UUID, *, hold: bool = False) -> Steps[Settings]:
    """The settings of an owner, or the defaults.

    Args:
        hold: nobody changes them before this transaction ends.
    """
    columns = (SETTINGS.c.currency, SETTINGS.c.zone, SETTINGS.c.version)
    wanted = select(*columns).where(SETTINGS.c.owner_id == owner_id)
    row = (yield wanted.with_for_update(read=True) if hold else wanted).one_or_none()
    return Settings() if row is None else Settings(**row._mapping)


def put(
    owner_id: UUID, currency: str | None, zone: str, versions: Versions = None
) -> Steps[Settings]:
    """Set the settings, and convert what is not in that currency yet.

    An entry of another base currency is converted anew at the rate of its own day; so is
    one for which there was no rate then.

    Raises:
        PreconditionFailed
    """
    # the row is there and locked before its version is looked at
    yield insert(SETTINGS).values(owner_id=owner_id, version=0).on_conflict_do_nothing()
    locked = select(SETTINGS.c.version).where(SETTINGS.c.owner_id == owner_id)
    version = (yield locked.with_for_update()).scalar_one()
    expect(version, versions)
    yield (
        SETTINGS.update()
        .where(SETTINGS.c.owner_id == owner_id)
        .values(currency=currency, zone=zone, version=version + 1, updated_at=text("now()"))
    )
    for table, day in CONVERTED:
        yield from _convert_all(owner_id, currency, table, day)
    return Settings(currency, zone, version + 1)


def _convert_all(owner_id: UUID, base: str | None, table: Table, day: str) -> Steps[None]:
    """Convert all of an owner's entries that are not in the base currency, deleted ones too."""
    after = UUID(int=0)
    columns = ("id", "amount", "currency", "exchange", "base_currency")
    while True:
        wanted = (
            select(*(table.c[name] for name in columns), table.c[day].label("day"))
            .where(table.c.owner_id == owner_id, table.c.id > after)
            .where(table.c.base_currency.is_distinct_from(base))
            .order_by(table.c.id)
            .limit(BATCH)
            .with_for_update()
        )
        rows = (yield wanted).all()
        if not rows:
            return
        yield from _convert(owner_id, base, table, rows)
        after = rows[-1].id


def _convert(
    owner_id: UUID, base: str | None, table: Table, rows: Sequence[Row[Any]]
) -> Steps[None]:
    if base is None:
        found = [UNCONVERTED] * len(rows)
    else:
        wanted = [Wanted(row.currency, row.day, row.exchange) for row in rows]
        rates = yield from look_up(base, wanted)
        found = [converted(row.amount, base, rate) for row, rate in zip(rows, rates, strict=True)]
    changed = [
        (row.id, new)
        for row, new in zip(rows, found, strict=True)
        if new["base_currency"] != row.base_currency
    ]
    if changed:
        values = {name: [new[name] for _, new in changed] for name in UNCONVERTED}
        ids = [entry_id for entry_id, _ in changed]
        yield bind(_WRITE[table.name], owner=owner_id, ids=ids, **values)


_WRITE = {
    table.name: text(f"""
UPDATE {table.name} SET base_currency = new.base_currency, base_exponent = new.base_exponent,
    base_amount = new.base_amount, fx_rate = new.fx_rate, fx_date = new.fx_date,
    fx_source = new.fx_source, version = version + 1, updated_at = now()
FROM unnest(CAST(:ids AS uuid[]), CAST(:base_currency AS text[]),
    CAST(:base_exponent AS integer[]), CAST(:base_amount AS numeric[]),
    CAST(:fx_rate AS numeric[]), CAST(:fx_date AS date[]), CAST(:fx_source AS text[]))
    AS new (id, base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)
WHERE {table.name}.id = new.id AND {table.name}.owner_id = :owner
""")  # noqa: S608, the names are ours
    for table, _ in CONVERTED
}

"""Ledgers: entries with an amount, exact in their currency and converted once into the base."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select

from core.database import Steps
from core.money import exponent_of, shown
from services.books import finance, references
from services.books.builtin import Side
from services.books.rates import Rate, Wanted, converted, look_up
from services.idempotency import IdempotencyKey
from services.records import Made, Record, Records, Versions


@dataclass(frozen=True)
class MoneyEntry(Record):
    """What entries with an amount have."""

    amount: Decimal
    currency: str
    category: str
    trip_id: UUID | None
    exchange: dict[str, Any] | None
    base_currency: str | None
    base_amount: Decimal | None
    fx_rate: Decimal | None
    fx_date: date | None
    fx_source: str | None

    @property
    def frozen(self) -> Rate | None:
        """The rate at which it was converted."""
        if self.fx_rate is None or self.fx_date is None or self.fx_source is None:
            return None
        return Rate(self.fx_rate, self.fx_date, self.fx_source)

    def written(self) -> dict[str, Any]:
        return {**super().written(), "amount": shown(self.amount, self.currency)}


@dataclass(frozen=True)
class Filter:
    """Which entries a list shows, and in which order.

    Attributes:
        equal: what columns must be; None: anything.
        first: of this day or later; `end`: before this day.
        q: a part of one of the texts, in any case.
        deleted: the deleted ones, and only those.
        sort: a column, after `-` for the largest first.
    """

    sort: str
    equal: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None
    first: date | None = None
    end: date | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    q: str | None = None
    deleted: bool = False


@dataclass(frozen=True)
class Total:
    """What the entries of one currency add up to."""

    currency: str
    amount: Decimal
    count: int


M = TypeVar("M", bound=MoneyEntry)


@dataclass(frozen=True)
class Ledger(Records[M]):
    """A table of entries with an amount.

    Attributes:
        side: whose categories it has.
        day: the column with the local date.
        texts: the columns that are searched.
    """

    side: Side
    day: str
    texts: tuple[str, ...]

    def record(
        self, owner_id: UUID, columns: dict[str, Any], *, key: IdempotencyKey | None = None
    ) -> Steps[Made]:
        """Write an entry.

        Args:
            columns: what its owner writes; the amount as a string.

        Raises:
            Invalid: there is no such trip or category.
            KeyReused, KeyInFlight: see `take_key`.
        """
        return (yield from self.create(owner_id, self._complete(owner_id, columns), key=key))

    def correct(
        self,
        owner_id: UUID,
        entry_id: UUID,
        revise: Callable[[M], dict[str, Any]],
        versions: Versions = None,
    ) -> Steps[M]:
        """Change what the owner has written.

        Args:
            revise: from the entry as it is to what shall be written.

        Raises:
            NotFound, PreconditionFailed.
            Invalid: there is no such trip or category.
        """

        def complete(before: M, columns: dict[str, Any]) -> Steps[dict[str, Any]]:
            return self._complete(owner_id, columns, before)

        return (yield from self.change(owner_id, entry_id, revise, versions, complete=complete))

    def _complete(
        self, owner_id: UUID, columns: dict[str, Any], before: M | None = None
    ) -> Steps[dict[str, Any]]:
        """The columns of a row, those of its conversion among them."""
        old = before.written() if before else None
        yield from references.check(owner_id, self.side, columns, old)
        amount = Decimal(columns["amount"])
        own = {"amount": amount, "exponent": exponent_of(columns["currency"])}
        base = (yield from finance.read(owner_id, hold=True)).currency
        rate = (yield from self._rate(columns, base, before)) if base else None
        return {**columns, **own, **converted(amount, base, rate)}

    def _rate(self, columns: dict[str, Any], base: str, before: M | None) -> Steps[Rate | None]:
        """The rate of an entry: the one that it has already, unless what decides it changed."""
        deciding = ("currency", self.day, "exchange")
        if before is not None and before.frozen is not None and before.base_currency == base:
            old = before.written()
            if all(columns[name] == old[name] for name in deciding):
                return before.frozen
        wanted = Wanted(*(columns[name] for name in deciding))
        return (yield from look_up(base, [wanted]))[0]

    def conditions(self, owner_id: UUID, which: Filter) -> list[ColumnElement[bool]]:
        column = self.table.c
        found = self.of(owner_id, deleted=which.deleted)
        found += [column[name] == value for name, value in which.equal.items() if value is not None]
        if which.tag is not None:
            found.append(column.tags.contains([which.tag]))
        if which.first is not None:
            found.append(column[self.day] >= which.first)
        if which.end is not None:
            found.append(column[self.day] < which.end)
        if which.min_amount is not None:
            found.append(column.amount >= which.min_amount)
        if which.max_amount is not None:
            found.append(column.amount <= which.max_amount)
        if which.q is not None:
            texts = (column[name] for name in self.texts)
            found.append(or_(*(each.icontains(which.q, autoescape=True) for each in texts)))
        return found

    def listed(
        self, owner_id: UUID, which: Filter, *, limit: int, offset: int
    ) -> Steps[tuple[list[M], list[Total]]]:
        """A page of the owner's entries, and what all of them add up to by currency."""
        own = self.conditions(owner_id, which)
        currency = self.table.c.currency
        amount = func.sum(self.table.c.amount).label("amount")
        summed = select(currency, amount, func.count().label("count")).where(*own)
        rows = (yield summed.group_by(currency).order_by(currency)).all()
        order = self.order(which.sort)
        found = yield from self.page(own, order, limit=limit, offset=offset)
        return found, [Total(**row._mapping) for row in rows]

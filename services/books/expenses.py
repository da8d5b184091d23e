"""Expenses: written with the decimals of their currency, found, and added up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, or_, select

from core.database import Steps
from core.money import allocate, exponent_of, shown
from models.base import metadata
from models.book import Expense
from services.books import finance, references
from services.books.entries import Book, Entry
from services.books.errors import ExpenseNotFound
from services.books.rates import Rate, Wanted, converted, look_up
from services.idempotency import IdempotencyKey
from services.trips.edit import Made, Versions

EXPENSES: Table = metadata.tables[str(Expense.__tablename__)]


@dataclass(frozen=True)
class ExpenseView(Entry):
    """An expense as its owner sees it."""

    WRITTEN: ClassVar[tuple[str, ...]] = (
        *("amount", "currency", "category", "spent_on", "days", "spent_at", "zone"),
        *("description", "vendor", "note", "payment_method", "tags", "place", "travellers"),
        *("trip_id", "exchange"),
    )

    trip_id: UUID | None
    amount: Decimal
    currency: str
    category: str
    spent_on: date
    days: int
    spent_at: datetime | None
    zone: str | None
    description: str
    vendor: str
    note: str
    payment_method: str | None
    tags: list[str]
    place: dict[str, Any] | None
    travellers: list[dict[str, Any]]
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


BOOK = Book(EXPENSES, ExpenseView, ExpenseNotFound)


def _complete(
    owner_id: UUID, columns: dict[str, Any], before: ExpenseView | None = None
) -> Steps[dict[str, Any]]:
    """The columns of a row.

    Raises:
        Invalid: there is no such trip or category.
    """
    yield from references.check(owner_id, columns, before.written() if before else None)
    amount = Decimal(columns["amount"])
    own = {"amount": amount, "exponent": exponent_of(columns["currency"])}
    base = (yield from finance.read(owner_id, hold=True)).currency
    rate = (yield from _rate(columns, base, before)) if base else None
    return {**columns, **own, **converted(amount, base, rate)}


def _rate(columns: dict[str, Any], base: str, before: ExpenseView | None) -> Steps[Rate | None]:
    """The rate of an expense: the one that it has already, unless what decides it changed."""
    deciding = ("currency", "spent_on", "exchange")
    if before is not None and before.frozen is not None and before.base_currency == base:
        old = before.written()
        if all(columns[name] == old[name] for name in deciding):
            return before.frozen
    wanted = Wanted(*(columns[name] for name in deciding))
    return (yield from look_up(base, [wanted]))[0]


def create(
    owner_id: UUID, columns: dict[str, Any], *, key: IdempotencyKey | None = None
) -> Steps[Made]:
    """Write an expense.

    Args:
        columns: what its owner writes; the amount as a string.

    Raises:
        Invalid: there is no such trip or category.
        KeyReused, KeyInFlight: see `take_key`.
    """
    return (yield from BOOK.create(owner_id, _complete(owner_id, columns), key=key))


def change(
    owner_id: UUID,
    expense_id: UUID,
    revise: Callable[[ExpenseView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[ExpenseView]:
    """Change what the owner has written.

    Args:
        revise: from the expense as it is to what shall be written.

    Raises:
        ExpenseNotFound, PreconditionFailed.
        Invalid: there is no such trip or category.
    """

    def complete(before: ExpenseView, columns: dict[str, Any]) -> Steps[dict[str, Any]]:
        return _complete(owner_id, columns, before)

    return (yield from BOOK.change(owner_id, expense_id, revise, complete, versions))


@dataclass(frozen=True)
class Filter:
    """Which expenses a list shows, and in which order.

    Attributes:
        first: spent on this day or later; `end`: before this day.
        q: a part of description, vendor or note, in any case.
        deleted: the deleted ones, and only those.
        sort: a column, after `-` for the largest first.
    """

    category: str | None = None
    trip_id: UUID | None = None
    tag: str | None = None
    payment_method: str | None = None
    currency: str | None = None
    first: date | None = None
    end: date | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    q: str | None = None
    deleted: bool = False
    sort: str = "-spent_on"

    def conditions(self, owner_id: UUID) -> list[ColumnElement[bool]]:
        found = BOOK.of(owner_id, deleted=self.deleted)
        for name in ("category", "trip_id", "payment_method", "currency"):
            if (value := getattr(self, name)) is not None:
                found.append(EXPENSES.c[name] == value)
        if self.tag is not None:
            found.append(EXPENSES.c.tags.contains([self.tag]))
        if self.first is not None:
            found.append(EXPENSES.c.spent_on >= self.first)
        if self.end is not None:
            found.append(EXPENSES.c.spent_on < self.end)
        if self.min_amount is not None:
            found.append(EXPENSES.c.amount >= self.min_amount)
        if self.max_amount is not None:
            found.append(EXPENSES.c.amount <= self.max_amount)
        if self.q is not None:
            texts = (EXPENSES.c.description, EXPENSES.c.vendor, EXPENSES.c.note)
            found.append(or_(*(each.icontains(self.q, autoescape=True) for each in texts)))
        return found

    def order(self) -> list[ColumnElement[Any]]:
        column, key = EXPENSES.c[self.sort.removeprefix("-")], EXPENSES.c.id
        if self.sort.startswith("-"):
            return [column.desc(), key.desc()]
        return [column.asc(), key.asc()]


@dataclass(frozen=True)
class Total:
    """What the expenses of one currency add up to."""

    currency: str
    amount: Decimal
    count: int


def page(
    owner_id: UUID, which: Filter, *, limit: int, offset: int
) -> Steps[tuple[list[ExpenseView], list[Total]]]:
    """A page of the owner's expenses, and what all of them add up to by currency."""
    own = which.conditions(owner_id)
    currency = EXPENSES.c.currency
    amount, count = func.sum(EXPENSES.c.amount).label("amount"), func.count().label("count")
    summed = select(currency, amount, count).where(*own)
    rows = (yield summed.group_by(currency).order_by(currency)).all()
    found = yield from BOOK.page(own, which.order(), limit=limit, offset=offset)
    return found, [Total(**row._mapping) for row in rows]


@dataclass(frozen=True)
class Split:
    """An expense in shares, each of which adds up to it.

    Attributes:
        days: the day and its share.
        travellers: the name and the share; empty where nobody shares it.
    """

    currency: str
    days: list[tuple[date, Decimal]]
    travellers: list[tuple[str, Decimal]]


def split(expense: ExpenseView) -> Split:
    """Share an expense over its days and among its travellers, by largest remainder."""
    by_day = allocate(expense.amount, expense.currency, [1] * expense.days)
    days = [(expense.spent_on + timedelta(days=n), share) for n, share in enumerate(by_day)]
    names = [each["name"] for each in expense.travellers]
    weights = [each["weight"] for each in expense.travellers]
    shares = allocate(expense.amount, expense.currency, weights) if names else []
    return Split(expense.currency, days, list(zip(names, shares, strict=True)))

"""From a line to an expense, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from core.csv_guard import unguarded
from tasks.import_expenses.contract.expense import ExpenseNew
from tasks.import_expenses.contract.headings import TEXTS
from tasks.import_expenses.contract.request import Dates, ImportOptions
from tasks.import_expenses.contract.request import Decimal as Separator
from tasks.import_expenses.contract.result import WrongLine
from tasks.import_expenses.engine import cells
from tasks.import_expenses.engine.books import Books
from tasks.import_expenses.engine.cells import Unclear
from tasks.import_expenses.engine.mapping import Mapping
from tasks.import_expenses.engine.opening import NUL, Line

#: What is shown of a wrong cell, in characters.
SHOWN = 100
#: Fields that are taken as they stand, once trimmed.
_PLAIN = ("vendor", "description", "note", "payment_method", "zone", "spent_at")
#: Fields that a fixed value completes.
_FIXED = ("currency", "vendor", "description", "note", "payment_method", "zone")
#: Where the parts of nested fields stand in a file.
_COLUMN_OF = {
    ("place", "name"): "place_name",
    ("place", "lat"): "place_lat",
    ("place", "lon"): "place_lon",
    ("exchange", "currency"): "exchange_currency",
    ("exchange", "rate"): "exchange_rate",
    ("trip_id",): "trip",
}


@dataclass(frozen=True)
class Spelling:
    """How the cells of a file are written."""

    decimal: Separator
    dates: Dates
    guarded: bool


@dataclass
class Lines:
    """Reads lines one by one; remembers which categories they need that are not there.

    Attributes:
        made: names of new categories by their keys.
        used: keys of all categories, and ids of all trips, that lines have named.
    """

    mapping: Mapping
    spelling: Spelling
    options: ImportOptions
    books: Books
    made: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    trips: set[UUID] = field(default_factory=set)

    def read(self, line: Line) -> ExpenseNew | list[WrongLine]:
        """The expense of a line, or all that is wrong with it."""
        if line.wrong is not None:
            return [self._wrong(line, None, f"The line cannot be read: {line.wrong}")]
        width = len(self.mapping.header)
        if width and len(line.cells) != width and any(map(str.strip, line.cells[width:])):
            return [self._wrong(line, None, f"Has {len(line.cells)} cells, and {width} headings")]
        if width and len(line.cells) < width:
            return [self._wrong(line, None, f"Has {len(line.cells)} cells, and {width} headings")]
        if any("\0" in cell for cell in line.cells):
            return [self._wrong(line, None, "Holds a NUL, which cannot be stored")]
        found = _Fields(self, line)
        values = found.read()
        try:
            expense = ExpenseNew.model_validate(values)
        except ValidationError as error:
            for each in error.errors(include_url=False, include_input=False):
                found.refuse(_field_of(each["loc"]), each["msg"])
            return found.wrong
        if found.wrong:
            return found.wrong
        self.used.add(expense.category)
        if expense.trip_id is not None:
            self.trips.add(expense.trip_id)
        return expense

    def _wrong(self, line: Line, name: str | None, message: str) -> WrongLine:
        column = None if name is None else self.mapping.name_of(name)
        position = None if name is None else self.mapping.index.get(name)
        value = line.cells[position] if position is not None else None
        return WrongLine(
            line=line.number,
            field=name,
            column=column,
            value=None if value is None else value[:SHOWN].replace("\0", NUL),
            message=message,
        )

    def category(self, name: str) -> str:
        """The key of a category, by key or name.

        Raises:
            Unclear: there is none, and none may be made.
        """
        known = self.books.categories
        key = known.by_name.get(name) or known.by_name.get(name.casefold())
        if key is not None:
            return key
        key = known.key_of(name)
        if key in known.archived:
            raise Unclear("This category is archived; restore it first")
        if not self.options.create_categories:
            raise Unclear("There is no such category")
        if key not in self.made and len(self.made) >= known.room:
            raise Unclear("You have as many categories of your own as there may be")
        self.made.setdefault(key, name)
        return key

    def trip(self, name: str) -> UUID:
        """
        Raises:
            Unclear: there is no such trip, or there are several.
        """
        trips = self.books.trips
        with suppress(ValueError):
            if (found := UUID(name)) in trips.ids:
                return found
        if name not in trips.by_title:
            raise Unclear("There is no such trip")
        if (titled := trips.by_title[name]) is None:
            raise Unclear("Several trips have this title; name its id")
        return titled


def _field_of(loc: tuple[int | str, ...]) -> str:
    parts = tuple(str(each) for each in loc)
    return _COLUMN_OF.get(parts, parts[0] if parts else "")


class _Fields:
    """The fields of one line."""

    def __init__(self, lines: Lines, line: Line) -> None:
        self._lines, self._line = lines, line
        self._index, self._spelling = lines.mapping.index, lines.spelling
        self._trims = not lines.mapping.own
        self.wrong: list[WrongLine] = []

    def refuse(self, name: str, message: str) -> None:
        """Note what is wrong with a field, once."""
        shown = "amount" if name in ("debit", "credit") else name
        if any(each.field in (name, shown) for each in self.wrong):
            return
        self.wrong.append(self._lines._wrong(self._line, name, message))

    def read(self) -> dict[str, Any]:
        """The values as an expense takes them; what could not be read is left out."""
        fixed = self._lines.options.fixed
        values: dict[str, Any] = {"currency": self._cell("currency").strip().upper()}
        values |= {name: self._cell(name) for name in _PLAIN}
        for name in _FIXED:
            values[name] = values[name] or getattr(fixed, name)
        self._take(values, "amount", self._amount)
        self._take(values, "spent_on", self._day)
        self._take(values, "category", self._category)
        self._take(values, "trip_id", self._trip, "trip")
        self._take(values, "tags", lambda: [*cells.tags(self._cell("tags")), *fixed.tags])
        self._optional(values, "days", cells.count)
        self._optional(values, "travellers", cells.as_json)
        self._take(values, "place", self._place, "place_lat")
        self._take(values, "exchange", self._exchange, "exchange_rate")
        # an empty cell says nothing: what may be left out is
        return {name: value for name, value in values.items() if value not in ("", None)}

    def _cell(self, name: str) -> str:
        position = self._index.get(name)
        if position is None or position >= len(self._line.cells):
            return ""
        cell = self._line.cells[position]
        if self._trims:
            # others break texts over lines where an expense has one
            cell = cell.strip() if name == "note" else " ".join(cell.split())
        return unguarded(cell) if self._spelling.guarded and name in TEXTS else cell

    def _take(
        self, values: dict[str, Any], name: str, read: Callable[[], Any], column: str = ""
    ) -> None:
        try:
            values[name] = read()
        except Unclear as unclear:
            self.refuse(column or name, str(unclear))

    def _optional(self, values: dict[str, Any], name: str, read: Callable[[str], Any]) -> None:
        if cell := self._cell(name):
            self._take(values, name, lambda: read(cell))

    def _amount(self) -> str | None:
        separator = self._spelling.decimal
        if cell := self._cell("amount"):
            found = cells.amount(cell, separator)
            if self._lines.options.spending == "negative":
                return cells.negated(found)
            return found
        spent_cell, back_cell = self._cell("debit"), self._cell("credit")
        spent, back = (
            cells.amount(cell, separator).removeprefix("-") if cell else None
            for cell in (spent_cell, back_cell)
        )
        if spent and back and Decimal(spent) and Decimal(back):
            raise Unclear("Both of debit and credit say something")
        if back is not None and (spent is None or Decimal(back)):
            return cells.negated(back)
        return spent

    def _day(self) -> Any:
        cell = self._cell("spent_on")
        return cells.day(cell, self._spelling.dates) if cell else None

    def _category(self) -> str | None:
        name = self._cell("category") or self._lines.options.fixed.category
        return self._lines.category(name) if name else None

    def _trip(self) -> UUID | None:
        name = self._cell("trip") or self._lines.options.fixed.trip
        return self._lines.trip(name) if name else None

    def _place(self) -> dict[str, Any] | None:
        name, lat, lon = (self._cell(f"place_{part}") for part in ("name", "lat", "lon"))
        if not (name or lat or lon):
            return None
        read = {
            "lat": cells.number(lat) if lat else None,
            "lon": cells.number(lon) if lon else None,
        }
        return {"name": name, **{part: each for part, each in read.items() if each is not None}}

    def _exchange(self) -> dict[str, Any] | None:
        currency, rate = self._cell("exchange_currency"), self._cell("exchange_rate")
        return {"currency": currency, "rate": rate} if currency or rate else None

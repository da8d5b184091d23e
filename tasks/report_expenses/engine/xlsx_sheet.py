"""Writing one sheet of a workbook: cells that are never computed, in the formats of a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from core.money import EXPONENTS
from tasks.report_expenses.engine.book import Money

#: The longest text of a cell (ECMA-376, and Excel's own limits).
LONGEST_TEXT = 32_767
#: Rows of a sheet.
MOST_ROWS = 1_048_576

_HEAD, _TITLE, _BOLD = (
    {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F4E5F", "border": 0},
    {"bold": True, "font_size": 16, "font_color": "#1F4E5F"},
    {"bold": True},
)


class Styles:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[str, Any] = {}
        self.head = book.add_format(_HEAD)
        self.title = book.add_format(_TITLE)
        self.bold = book.add_format(_BOLD)
        self.date = book.add_format({"num_format": "yyyy-mm-dd"})
        self.month = book.add_format({"num_format": "yyyy-mm"})
        self.share = book.add_format({"num_format": "0.0%"})

    def decimals(self, places: int, *, bold: bool = False) -> Any:
        """Numbers with so many decimals, and digits in groups as the reader's system writes."""
        pattern = "#,##0" + ("." + "0" * places if places else "")
        key = f"{pattern} {bold}"
        if key not in self._made:
            self._made[key] = self._book.add_format({"num_format": pattern, "bold": bold})
        return self._made[key]

    def money(self, currency: str, *, bold: bool = False) -> Any:
        return self.decimals(EXPONENTS.get(currency, 2), bold=bold)


class Sheet:
    """A sheet that is written row after row."""

    def __init__(self, book: Workbook, styles: Styles, name: str) -> None:
        self.page: Worksheet = book.add_worksheet(name)
        self.name, self._styles, self.row = name, styles, 0

    def skip(self, rows: int = 1) -> None:
        self.row += rows

    def write(self, *cells: Any, style: Any = None) -> int:
        """Write a row; its number, from 0.

        Args:
            cells: texts, whole numbers, dates, decimals, `Money`, or `(value, format)`;
                None: empty.
            style: of texts.
        """
        for column, cell in enumerate(cells):
            self._cell(column, cell, style)
        self.row += 1
        return self.row - 1

    def head(self, *titles: str, widths: Sequence[int] = ()) -> int:
        """Write the heads of columns."""
        for column, width in enumerate(widths):
            self.page.set_column(column, column, width)
        return self.write(*titles, style=self._styles.head)

    def _cell(self, column: int, cell: Any, style: Any) -> None:
        given = None
        if isinstance(cell, tuple):
            cell, given = cell
        if isinstance(cell, Money):
            given = given or self._styles.money(cell.currency)
            cell = cell.amount
        if cell is None or cell == "":
            return
        if isinstance(cell, str):
            # never `write`, which would make a formula of what begins with "="
            self.page.write_string(self.row, column, cell[:LONGEST_TEXT], given or style)
        elif isinstance(cell, date):
            self.page.write_datetime(self.row, column, cell, given or self._styles.date)
        elif isinstance(cell, Decimal):
            # the format knows doubles only; they hold every amount that the tables hold
            self.page.write_number(self.row, column, float(cell), given)
        else:
            self.page.write_number(self.row, column, cell, given)

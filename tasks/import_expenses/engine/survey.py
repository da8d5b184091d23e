"""A first walk through a file: how many lines, and which spellings of dates and amounts hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.kind import JobFailed, Progress, Run
from tasks.import_expenses.contract.request import Dates, ImportOptions
from tasks.import_expenses.contract.request import Decimal as Separator
from tasks.import_expenses.engine import cells
from tasks.import_expenses.engine.mapping import Mapping
from tasks.import_expenses.engine.opening import MOST_COLUMNS, NUL, Line, Source

#: Lines between two looks at whether to go on.
STRIDE = 5_000
#: Raw lines that are shown.
SAMPLE = 5
AMOUNTS = ("amount", "debit", "credit")


@dataclass
class Survey:
    """What is known of a file after a first walk.

    Attributes:
        orders: in which all dates are dates, or most are.
        separators: which amounts prove.
        open_amounts: whether some could be read in two ways.
    """

    rows: int = 0
    sample: list[list[str]] = field(default_factory=list)
    orders: dict[Dates, int] = field(default_factory=dict)
    separators: set[Separator] = field(default_factory=set)
    open_amounts: bool = False

    def dates(self, options: ImportOptions, mapping: Mapping) -> Dates | None:
        """The order of all dates; None where two would do, or none is named and there are none."""
        if options.dates is not None:
            return options.dates
        if mapping.own:
            return "ymd"
        most = max(self.orders.values(), default=0)
        best = [order for order, count in self.orders.items() if count == most and most]
        return best[0] if len(best) == 1 else None

    def decimal(self, options: ImportOptions, mapping: Mapping) -> Separator | None:
        """The decimal separator; None where it matters and nothing tells."""
        if options.decimal is not None:
            return options.decimal
        if mapping.own:
            return "."
        if len(self.separators) == 1:
            return next(iter(self.separators))
        return None if self.separators or self.open_amounts else "."


def survey(source: Source, mapping: Mapping, run: Run, most: int) -> Survey:
    """Walk through a file once.

    Raises:
        JobFailed: it has more lines with an expense than `most`.
    """
    found = Survey(orders=dict.fromkeys(cells.ORDERS, 0))
    for line in source.lines():
        found.rows += 1
        if found.rows > most:
            raise JobFailed(
                "FILE_TOO_LONG", f"A file may have {most:,} expenses; import it in parts."
            )
        if len(found.sample) < SAMPLE:
            cut = [cell[:200].replace("\0", NUL) for cell in line.cells[:MOST_COLUMNS]]
            found.sample.append(cut)
        if found.rows % STRIDE == 0:
            run.report(Progress(fraction=0.0, stage="reading", data={"lines": found.rows}))
        _note(found, line, mapping)
    return found


def _note(found: Survey, line: Line, mapping: Mapping) -> None:
    if mapping.own:
        return
    for name in AMOUNTS:
        cell = _cell(line, mapping.index.get(name))
        if not cells.has_separator(cell):
            continue
        proven = cells.separators_in(cell)
        found.separators |= proven
        found.open_amounts |= not proven
    cell = _cell(line, mapping.index.get("spent_on"))
    for order in cells.orders_of(cell, cells.ORDERS) if cell else ():
        found.orders[order] += 1


def _cell(line: Line, position: int | None) -> str:
    return line.cells[position] if position is not None and position < len(line.cells) else ""

"""The lines of a report as CSV (RFC 4180): for spreadsheets, or raw for machines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from core.csv_guard import guarded
from tasks.report_expenses.engine.book import Report, Row

#: Lines between two looks at whether the job shall go on.
PIECE = 1_000

HEADER = (
    *("side", "id", "date", "category", "category_name", "description", "vendor", "note"),
    *("payment_method", "tags", "place", "trip", "amount", "currency", "base_amount"),
    *("base_currency", "rate", "rate_date", "rate_source", "entry_amount", "counted_days", "days"),
)


def _verbatim(text: str) -> str:
    return text


def write_csv(report: Report, path: Path, check: Callable[[], None], *, raw: bool = False) -> int:
    """Write all lines, expenses first; one is in memory at a time.

    Args:
        check: called between pieces; raises where the job shall end.
        raw: texts as they are and no byte order mark, to be read by programs; spreadsheets
            need both.

    Returns:
        How many lines were left out: none.
    """
    safe = _verbatim if raw else guarded
    with path.open("w", newline="", encoding="utf-8" if raw else "utf-8-sig") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(HEADER)
        for number, row in enumerate(chain(report.expenses, report.incomes)):
            if number % PIECE == 0:
                check()
            writer.writerow(_cells(row, report.currency, safe))
    return 0


def _cells(row: Row, base_currency: str, safe: Callable[[str], str]) -> Iterator[str | int]:
    yield row.side
    yield str(row.id)
    yield row.day.isoformat()
    texts = (row.category, row.category_name, row.description, row.vendor, row.note)
    yield from map(safe, (*texts, row.payment_method, "; ".join(row.tags), row.place, row.trip))
    yield f"{row.amount:f}"
    yield row.currency
    yield "" if row.base is None else f"{row.base:f}"
    yield "" if row.base is None else base_currency
    yield "" if row.rate is None else f"{row.rate:f}"
    yield "" if row.rate_day is None else row.rate_day.isoformat()
    yield row.rate_source
    yield f"{row.whole:f}"
    yield row.part_days
    yield row.days

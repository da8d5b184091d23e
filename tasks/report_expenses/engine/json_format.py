"""A report as one JSON document, written piece by piece; amounts are strings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from tasks.report_expenses.engine.book import Report, Rows
from tasks.report_expenses.engine.csv_format import PIECE

#: Names the shape of the document; another number where a reader of this one would break.
SCHEMA = "urn:wheels-and-wins:expense-report:1"
#: What is not part of the document: the lines follow after the rest, the pictures are files.
_APART = ("expenses", "incomes", "receipts", "exponent")


def write_json(report: Report, path: Path, check: Callable[[], None]) -> int:
    """Write what the report says, then its lines under `expenses` and `incomes`.

    Args:
        check: called between pieces; raises where the job shall end.

    Returns:
        How many lines were left out: none.
    """
    facts = {each.name: getattr(report, each.name) for each in fields(report)}
    head = {"schema": SCHEMA} | {name: facts[name] for name in facts if name not in _APART}
    with path.open("w", encoding="utf-8") as file:
        file.write(_dumps(head).removesuffix("}"))
        for name, rows in (("expenses", report.expenses), ("incomes", report.incomes)):
            file.write(f',\n"{name}":[')
            _write_rows(file, rows, check)
            file.write("]")
        file.write("}\n")
    return 0


def _write_rows(file: TextIO, rows: Rows, check: Callable[[], None]) -> None:
    for number, row in enumerate(rows):
        if number % PIECE == 0:
            check()
        file.write(",\n" if number else "\n")
        file.write(_dumps(row))


def _plain(value: Any) -> Any:
    """What JSON can say instead."""
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"no JSON: {type(value).__name__}")


def _dumps(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))

"""Entries as CSV (RFC 4180): by the columns of `headings`, row by row, never all in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from core.csv_guard import guarded
from core.kind import Progress, Run
from core.money import shown
from tasks.import_expenses.contract.headings import EXPENSES, INCOMES, TEXTS

HEADINGS = {"expenses": EXPENSES, "incomes": INCOMES}
#: Rows between two looks at whether to go on.
STRIDE = 1_000

#: An entry by its columns, with the title of its trip as `trip`.
Row = Mapping[str, Any]


def write_csv(
    path: Path,
    entries: str,
    rows: Iterable[Row],
    total: int,
    *,
    raw: bool,
    bom: bool,
    run: Run,
) -> int:
    """Write entries to a file; how many there were.

    Raises:
        RunStopped
    """
    headings = HEADINGS[entries]
    written = 0
    with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings if raw else headings.values())
        readers = [_reader(name, raw=raw) for name in headings]
        for row in rows:
            writer.writerow([read(row) for read in readers])
            written += 1
            if written % STRIDE == 0:
                fraction = min(written / max(total, 1), 1.0)
                run.report(Progress(fraction=fraction, stage="writing", data={"rows": written}))
    return written


def _reader(name: str, *, raw: bool) -> Callable[[Row], str]:
    """From a row to the cell of a column."""

    def plain(row: Row) -> str:
        return _plain(row[name])

    own = _READ.get(name, plain)
    return own if raw or name not in TEXTS else lambda row: guarded(own(row))


def _plain(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)


def _tags(row: Row) -> str:
    """`a; b`, or a JSON list where that would be read as something else."""
    tags: list[str] = row["tags"]
    plain = all(tag == tag.strip() and not set(";,") & set(tag) for tag in tags)
    if plain and not (tags and tags[0].startswith("[")):
        return "; ".join(tags)
    return json.dumps(tags, ensure_ascii=False)


def _travellers(row: Row) -> str:
    return json.dumps(row["travellers"], ensure_ascii=False) if row["travellers"] else ""


def _part(column: str, key: str) -> Callable[[Row], str]:
    return lambda row: _plain((row[column] or {}).get(key))


def _amount(row: Row) -> str:
    return shown(row["amount"], row["currency"])


def _base_amount(row: Row) -> str:
    amount = row["base_amount"]
    return "" if amount is None else shown(amount, row["base_currency"])


def _rate(row: Row) -> str:
    return "" if row["fx_rate"] is None else f"{row['fx_rate'].normalize():f}"


_READ: dict[str, Callable[[Row], str]] = {
    "amount": _amount,
    "base_amount": _base_amount,
    "fx_rate": _rate,
    "tags": _tags,
    "travellers": _travellers,
    "place_name": _part("place", "name"),
    "place_lat": _part("place", "lat"),
    "place_lon": _part("place", "lon"),
    "exchange_currency": _part("exchange", "currency"),
    "exchange_rate": _part("exchange", "rate"),
}

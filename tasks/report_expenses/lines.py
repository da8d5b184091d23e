"""The lines of a report as they lie in a file, read one by one and as often as wanted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import UUID

from tasks.report_expenses.engine.book import Row, Side


@dataclass(frozen=True)
class Lines:
    """The `Rows` of a file that `services.books.reports.rows` has written.

    Attributes:
        names: of categories, by side and key.
    """

    path: Path
    count: int
    names: Mapping[tuple[str, str], str]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Row]:
        with self.path.open(newline="", encoding="utf-8") as file:
            for cells in csv.reader(file):
                yield self._row(cells)

    def _row(self, cells: list[str]) -> Row:
        side, entry_id, day, category, currency, whole, amount, base, rate = cells[:9]
        rate_day, source, part_days, days, description, vendor, note = cells[9:16]
        method, tags, place, trip = cells[16:]
        return Row(
            side=cast(Side, side),
            id=UUID(entry_id),
            day=date.fromisoformat(day),
            category=category,
            category_name=self.names.get((side, category), category),
            description=description,
            vendor=vendor,
            note=note,
            payment_method=method,
            tags=tuple(json.loads(tags)) if tags != "[]" else (),
            place=place,
            trip=trip,
            amount=Decimal(amount),
            currency=currency,
            base=Decimal(base) if base else None,
            rate=Decimal(rate) if rate else None,
            rate_day=date.fromisoformat(rate_day) if rate_day else None,
            rate_source=source,
            whole=Decimal(whole),
            part_days=int(part_days),
            days=int(days),
        )

"""The lines of a report, copied to a file in the moment of its sums."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database import bind, copy_out
from services.books.reports.selection import Selection, expense_lines, income_lines

#: The columns of the files, in order. Amounts have all decimals of their currency; texts that
#: are missing are empty; `tags` is a JSON array.
COLUMNS = (
    *("side", "id", "day", "category", "currency", "whole", "amount", "base", "fx_rate"),
    *("fx_date", "fx_source", "part_days", "days", "description", "vendor", "note"),
    *("payment_method", "tags", "place", "trip"),
)

_TEXTS = ", e.description, e.{vendor} AS vendor, e.note, to_json(e.tags) AS tags, e.trip_id"
_EXPENSE = (
    _TEXTS.format(vendor="vendor") + ", e.payment_method, e.place ->> 'name' AS place"
    ", CASE WHEN e.base_currency = CAST(:currency AS text) THEN e.base_exponent"
    " ELSE e.exponent END AS base_exponent"
)
_INCOME = (
    _TEXTS.format(vendor="source") + ", NULL AS payment_method, NULL AS place"
    ", CASE WHEN e.base_currency = CAST(:currency AS text) THEN e.base_exponent"
    " ELSE e.exponent END AS base_exponent"
)

_COPY = """
SELECT side, line.id, day, category, currency, round(whole, exponent), round(amount, exponent),
    round(base, base_exponent), fx_rate, fx_date, fx_source, part_days, days, description, vendor,
    note, payment_method, tags, place, trip.title
FROM ({lines}) AS line
LEFT JOIN trips trip ON trip.id = line.trip_id AND trip.owner_id = CAST(:owner AS uuid)
ORDER BY day, line.id
"""
_EXPENSES = text(_COPY.format(lines=expense_lines("month", _EXPENSE)))
_INCOMES = text(_COPY.format(lines=income_lines(_INCOME)))


def copy_expenses(session: Session, selection: Selection, path: Path) -> int:
    """Write the expenses of a selection to a file, one line for each month of each.

    Returns:
        How many lines.
    """
    return copy_out(session, bind(_EXPENSES, **selection.values()), path)


def copy_incomes(session: Session, selection: Selection, path: Path) -> int:
    """Write the incomes of a selection to a file; see `copy_expenses`."""
    return copy_out(session, bind(_INCOMES, **selection.values()), path)

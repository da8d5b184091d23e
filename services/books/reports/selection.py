"""Which entries of the books a report is of, and their lines by day or by month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID


@dataclass(frozen=True)
class Selection:
    """What counts: of an owner, from the first day, before the end.

    Attributes:
        currency: into which entries must be converted to count in totals.
        trip_id: None: whatever the trip.
        categories, payment_methods: of expenses; empty: all.
        tags: any one of them, of expenses and incomes; empty: all.
    """

    owner_id: UUID
    first: date
    end: date
    currency: str
    trip_id: UUID | None = None
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    payment_methods: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """What the statements below are bound to."""
        return {
            "owner": self.owner_id,
            "first": self.first,
            "before": self.end,
            "currency": self.currency,
            "trip": self.trip_id,
            "categories": list(self.categories),
            "tags": list(self.tags),
            "methods": list(self.payment_methods),
        }


_ANY_TRIP_OR_TAG = """
    AND (CAST(:trip AS uuid) IS NULL OR e.trip_id = CAST(:trip AS uuid))
    AND (CAST(:tags AS text[]) = '{}' OR e.tags && CAST(:tags AS text[]))
"""
_MINE = f"""e.owner_id = CAST(:owner AS uuid) AND e.deleted_at IS NULL{_ANY_TRIP_OR_TAG}
    AND (CAST(:categories AS text[]) = '{{}}' OR e.category = ANY(CAST(:categories AS text[])))
    AND (CAST(:methods AS text[]) = '{{}}' OR e.payment_method = ANY(CAST(:methods AS text[])))
"""
_FIRST, _BEFORE, _BASE = "CAST(:first AS date)", "CAST(:before AS date)", "CAST(:currency AS text)"
# An entry that is in the currency of the report counts as it is, whatever the base of the books.
_RATED = f"""
    CASE WHEN e.base_currency = {_BASE} THEN e.fx_rate WHEN e.currency = {_BASE} THEN 1 END
        AS fx_rate,
    CASE WHEN e.base_currency = {_BASE} THEN e.fx_date WHEN e.currency = {_BASE} THEN {{day}} END
        AS fx_date,
    CASE WHEN e.base_currency = {_BASE} THEN e.fx_source
        WHEN e.currency = {_BASE} THEN 'same' END AS fx_source
"""


def expense_lines(unit: Literal["day", "month"], columns: str = "") -> str:
    """SQL for the expenses of a selection; what is spread over days, cut at each day or month.

    Shares are those of `share_of_days`, as in the summary, so that the lines of an expense add up
    to what counts of it.

    Args:
        columns: more columns of `expenses e` for each line, each with a comma before it.
    """
    rated = _RATED.format(day="e.spent_on")
    base = f"""CASE WHEN e.base_currency = {_BASE} THEN {{base}}
        WHEN e.currency = {_BASE} THEN {{own}} END"""
    own_share = "share_of_days(e.amount, e.exponent, e.days, part.lo, part.hi)"
    base_share = "share_of_days(e.base_amount, e.base_exponent, e.days, part.lo, part.hi)"
    return f"""
SELECT 'expense' AS side, e.id, e.spent_on AS day, e.category, e.currency, e.exponent,
    e.amount AS whole, e.amount, {base.format(base="e.base_amount", own="e.amount")} AS base,
    {rated}, 1 AS part_days, e.days, true AS opens{columns}
FROM expenses e WHERE e.days = 1 AND e.spent_on >= {_FIRST} AND e.spent_on < {_BEFORE}
    AND {_MINE}
UNION ALL
SELECT 'expense', e.id, e.spent_on + part.lo, e.category, e.currency, e.exponent, e.amount,
    {own_share}, {base.format(base=base_share, own=own_share)},
    {rated}, part.hi - part.lo, e.days, part.lo = greatest({_FIRST} - e.spent_on, 0){columns}
FROM expenses e CROSS JOIN LATERAL (
    SELECT greatest(CAST(begins AS date), e.spent_on, {_FIRST}) - e.spent_on AS lo,
        least(CAST(begins + interval '1 {unit}' AS date), e.spent_on + e.days, {_BEFORE})
            - e.spent_on AS hi
    FROM generate_series(
        date_trunc('{unit}', CAST(greatest(e.spent_on, {_FIRST}) AS timestamp)),
        CAST(least(e.spent_on + e.days, {_BEFORE}) - 1 AS timestamp),
        interval '1 {unit}') AS begins) AS part
WHERE e.days > 1 AND e.spent_on < {_BEFORE} AND e.spent_on > {_FIRST} - 366
    AND e.spent_on + e.days > {_FIRST} AND {_MINE}"""  # noqa: S608  # our own constants


def income_lines(columns: str = "") -> str:
    """SQL for the incomes of a selection, in the columns of `expense_lines`."""
    return f"""
SELECT 'income' AS side, e.id, e.received_on AS day, e.category, e.currency, e.exponent,
    e.amount AS whole, e.amount, CASE WHEN e.base_currency = {_BASE} THEN e.base_amount
        WHEN e.currency = {_BASE} THEN e.amount END AS base,
    {_RATED.format(day="e.received_on")}, 1 AS part_days, 1 AS days, true AS opens{columns}
FROM incomes e WHERE e.owner_id = CAST(:owner AS uuid) AND e.deleted_at IS NULL
    AND e.received_on >= {_FIRST} AND e.received_on < {_BEFORE}{_ANY_TRIP_OR_TAG}"""  # noqa: S608

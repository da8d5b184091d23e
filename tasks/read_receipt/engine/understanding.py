"""What the lines of a receipt seem to say: total, currency, date and vendor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tasks.read_receipt.contract import Suggestion
from tasks.read_receipt.engine.amounts import currency_of, total_of
from tasks.read_receipt.engine.dates import date_of
from tasks.read_receipt.engine.lines import Line
from tasks.read_receipt.engine.vendors import vendor_of


@dataclass(frozen=True)
class Understood:
    """None where nothing is said."""

    total: Suggestion | None
    currency: Suggestion | None
    date: Suggestion | None
    vendor: Suggestion | None


def understand(lines: Sequence[Line], country: str | None, today: date) -> Understood:
    """
    Args:
        country: where it was spent, ISO 3166.
        today: what is later was read wrongly.
    """
    total = total_of(lines)
    return Understood(
        total,
        currency_of(lines, total, country),
        date_of(lines, country, today),
        vendor_of(lines),
    )

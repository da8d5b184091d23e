"""What comes out of a report."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tasks.plan_route.contract.values import Model
from tasks.report_expenses.contract.periods import Period


class Amount(Model):
    """An amount of one currency."""

    amount: str = Field(examples=["182.50"])
    currency: str = Field(description="ISO 4217 code.")


class CategorySum(Model):
    """What was spent in one category, as far as it is converted."""

    category: str
    amount: str
    currency: str
    count: int


class CurrencySum(Model):
    """What was spent in one currency.

    `converted`: what it is worth in the currency of the report; of all that has a rate.
    """

    amount: str
    currency: str
    converted: Amount
    count: int


class Totals(Model):
    """The sums of all that is converted; every file says the same."""

    spent: Amount
    income: Amount
    net: Amount
    per_day: Amount
    per_night: Amount | None
    per_km: Amount | None
    before: Amount = Field(description="Spent in the period of the same length before this one.")
    expenses: int = Field(description="How many, also those that are not converted.")
    incomes: int
    categories: list[CategorySum]
    currencies: list[CurrencySum]


class UnconvertedSum(Model):
    """What no total contains, because there is no rate."""

    side: str
    amount: str
    currency: str
    count: int


class File(Model):
    """A file of the report, as in the job object."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    url: str
    expires_at: datetime | None = Field(None, description="null: with the job that made it.")


class ReportResult(Model):
    """The files, and what they say."""

    artifacts: list[File]
    totals: Totals
    rows: int = Field(description="Lines in the files: an expense has one in each of its months.")
    omitted_rows: dict[str, int] = Field(description="Lines that a format left out, by format.")
    unconverted: list[UnconvertedSum]
    period: Period
    currency: str
    revision: str = Field(description="Of the books: another one means that they have changed.")
    fingerprint: str = Field(description="Of request and revision: the same says the same.")
    made_by: UUID = Field(
        description="The job that made the files: an older one, where the same was asked of "
        "unchanged books before. They are its artifacts, and expire with it."
    )

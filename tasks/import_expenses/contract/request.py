"""What somebody wants imported: a file, which column is what, and how its cells are written."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from tasks.import_expenses.contract.expense import Currency, Method, Note, Tags
from tasks.plan_route.contract.values import Label, Model, Text, Zone

Column = (
    Annotated[int, Field(strict=True, ge=1, le=1000)]
    | Annotated[str, StringConstraints(min_length=1, max_length=500, strict=True)]
)
Encoding = Literal["utf-8", "utf-16", "cp1252"]
Delimiter = Literal[",", ";", "\t", "|"]
Decimal = Literal[".", ","]
Dates = Literal["ymd", "dmy", "mdy"]


class Columns(Model):
    """Which column holds what, by its heading or by its number from 1 on; null: none does."""

    amount: Column | None = Field(None, description="What was spent; see `spending`.")
    debit: Column | None = Field(None, description="What was spent, where `credit` is apart.")
    credit: Column | None = Field(None, description="What came back, as a column of its own.")
    currency: Column | None = None
    spent_on: Column | None = None
    category: Column | None = Field(None, description="The key or the name of a category.")
    vendor: Column | None = None
    description: Column | None = None
    note: Column | None = None
    payment_method: Column | None = None
    tags: Column | None = Field(None, description="`a; b`, `a, b`, or a JSON list.")
    trip: Column | None = Field(None, description="The id or the title of a trip.")
    days: Column | None = None
    zone: Column | None = None
    spent_at: Column | None = None
    place_name: Column | None = None
    place_lat: Column | None = None
    place_lon: Column | None = None
    travellers: Column | None = Field(None, description="A JSON list, as in an expense.")
    exchange_currency: Column | None = None
    exchange_rate: Column | None = None


class Fixed(Model):
    """Values for lines whose column says nothing, or which have no such column."""

    currency: Currency | None = None
    category: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    vendor: Text | None = None
    description: Text | None = None
    note: Note | None = None
    payment_method: Method | None = None
    tags: Tags = Field(default_factory=list, description="Besides those of the line.")
    trip: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="The id or the title of a trip."
    )
    zone: Zone | None = None


class ImportOptions(Model):
    """How to read a file, and what to do with it. What is null is found out, and shown."""

    dry_run: bool = Field(
        False, strict=True, description="Only say what is in it, and every line that is wrong."
    )
    columns: Columns | None = Field(
        None,
        description="null: guessed by the headings. A guess is shown by a dry run; it is imported "
        "only where the headings are those of our own export.",
    )
    fixed: Fixed = Fixed()
    header: bool = Field(True, strict=True, description="Whether the first line has headings.")
    skip_lines: int = Field(0, strict=True, ge=0, le=100, description="Lines before all that.")
    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    decimal: Decimal | None = Field(None, description="The decimal separator.")
    dates: Dates | None = Field(None, description="The order of day, month and year.")
    spending: Literal["positive", "negative"] = Field(
        "positive",
        description="The sign of money spent in `amount`: banks often write it as negative.",
    )
    guarded: bool | None = Field(
        None,
        strict=True,
        description="Whether texts that begin like a formula have an apostrophe before them. null: "
        "only those of our own export.",
    )
    duplicates: Literal["keep", "skip"] = Field(
        "keep",
        description="What to do with a line like an entry that is there already: same day, amount, "
        "currency, and vendor (where there is none, description).",
    )
    create_categories: bool = Field(
        False, strict=True, description="Make the categories that are not there yet."
    )
    tags: list[Label] = Field(default_factory=list, max_length=20, description="Of the job.")


class ImportRequest(ImportOptions):
    """An import of a file that was uploaded before."""

    file_id: UUID = Field(
        description="An artifact of your own: the file of an earlier import, or of an export."
    )

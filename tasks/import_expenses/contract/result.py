"""What came of an import, or would come of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from tasks.import_expenses.contract.request import Columns, Dates, Decimal, Delimiter, Encoding
from tasks.plan_route.contract.values import Model

#: Lines that a dry run shows as the expenses that they would become.
PREVIEW = 20


class FileRead(Model):
    """How the file is written."""

    encoding: Encoding
    bom: bool
    delimiter: Delimiter
    decimal: Decimal | None = Field(description="null: no amount tells.")
    dates: Dates | None
    guarded: bool
    header: list[str] = Field(description="The headings; empty without any.")
    sample: list[list[str]] = Field(description="The first lines as they stand, shortened.")


class WrongLine(Model):
    """One thing that is wrong with one line."""

    line: int = Field(description="Where it begins, from 1 on.")
    field: str | None = Field(description="Of an expense; null: the line as such.")
    column: str | None = Field(description="Its heading, or its number.")
    value: str | None = Field(description="What stands there, shortened.")
    message: str


class Suspect(Model):
    """A line like an entry that is there already."""

    line: int
    expense_id: UUID = Field(description="One of those that are like it.")


class PreviewLine(Model):
    """What a line becomes."""

    line: int
    expense: dict[str, Any] = Field(description="As it would be posted.")


class ImportTotal(Model):
    """What the lines of one currency add up to."""

    currency: str
    amount: str
    count: int


class ImportResult(Model):
    """What came of an import, or would come of it."""

    dry_run: bool
    file: FileRead
    columns: Columns = Field(description="As given, or as guessed.")
    guessed: bool
    undecided: list[str] = Field(
        description="What the file leaves open and an import must say: `dates`, `decimal`."
    )
    rows: int = Field(description="Lines with an expense, wrong ones too.")
    imported: int = Field(description="Written to the books; 0 in a dry run.")
    wrong: int = Field(description="Lines with something wrong.")
    errors: list[WrongLine]
    more_errors: int = Field(description="How many are left out of `errors`.")
    totals: list[ImportTotal] = Field(description="Of the lines that are, or would be, imported.")
    unconverted: int = Field(description="Lines without a rate into the base currency.")
    duplicates: int = Field(description="Lines like an entry that is there already.")
    skipped: int = Field(description="Those of them that are left out.")
    suspects: list[Suspect]
    more_suspects: int
    new_categories: list[str] = Field(description="Keys of categories that are made.")
    preview: list[PreviewLine]

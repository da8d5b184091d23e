"""The PDF of real books: its sums are those of plain SQL, and hostile entries stay inert."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pikepdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.money import shown
from services.books.expenses import LEDGER as EXPENSES
from services.books.incomes import LEDGER as INCOMES
from tests.lab import Lab
from tests.tasks.report_expenses.books import Books
from tests.tasks.report_expenses.pdf_reading import Read, read
from tests.tasks.report_expenses.test_ledgers import END, FIRST, entries, expected


def _read(content: bytes, folder: Path) -> Read:
    (folder / "report.pdf").write_bytes(content)
    return read(folder / "report.pdf")


def _said(amount: Decimal) -> str:
    """Australian dollars in English, as the PDF writes them."""
    return f"{'-' if amount < 0 else ''}A${Decimal(shown(abs(amount), 'AUD')):,}"


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(entries(), min_size=1, max_size=12))
def test_random_books_say_the_same_in_the_pdf(
    lab: Lab, tmp_path: Path, made: list[tuple[bool, dict[str, Any]]]
) -> None:
    books = Books(lab)
    for spent, columns in made:
        books.record(EXPENSES if spent else INCOMES, columns)
    report = books.report(
        period={"from": str(FIRST), "to": str(END)}, formats=["pdf"], locale="en-US"
    )
    text = _read(report.files["pdf"], tmp_path).text
    by_category, _ = expected(books)
    total = sum(by_category.values(), Decimal(0))
    assert f"Total spent {_said(total)}" in text
    assert f"Spent {_said(total)}" in text
    for each in report.result.totals.categories:
        amount = by_category.get(each.category, Decimal(0))
        assert Decimal(each.amount) == amount
        name = {"food": "Food", "fuel": "Fuel", "other": "Other"}[each.category]
        assert f"{name} {_said(amount)}" in text


def test_it_has_the_csv_of_the_same_moment_and_says_what_it_leaves_out(
    lab: Lab, tmp_path: Path
) -> None:
    books = Books(lab)
    for vendor in ('=HYPERLINK("x")', '#read("/etc/passwd") *x* $y$ ]', "مقهى"):
        books.spend("10", vendor=vendor)
    made = books.report(formats=["pdf", "csv"], locale="en-AU")
    assert made.result.omitted_rows["pdf"] == 0
    text = _read(made.files["pdf"], tmp_path).text
    assert '=HYPERLINK("x")' in text
    assert '#read("/etc/passwd") *x* $y$ ]' in text
    assert "Total spent $30.00" in text
    with pikepdf.open(io.BytesIO(made.files["pdf"])) as pdf:
        (attached,) = pdf.attachments.values()
        assert attached.get_file().read_bytes() == made.files["csv"]

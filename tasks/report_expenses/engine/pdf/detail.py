"""The list of entries by month, as far as a PDF should hold it, and the receipts after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from tasks.report_expenses.engine.book import MonthTotal, Receipt, Row, Rows
from tasks.report_expenses.engine.pdf.summary import NOTHING, Maker, Part
from tasks.report_expenses.engine.pdf.texts import Said, clean, plain
from tasks.report_expenses.engine.pdf.words import mark

#: Pictures of receipts in one report.
MOST_RECEIPTS = 100
#: Characters of a vendor and of a description in the list; the CSV has all of them.
_VENDOR, _DESCRIPTION = 80, 120
#: A list with fewer entries a month than this is one table: a head and a sum for each of them
#: would be more than the entries.
_SPARSE = 3
#: After so many rows the next month begins a page, as a year does: some four pages. What page
#: breaks part, typst sets in two threads.
_ROWS_TOGETHER = 200
#: After so many rows the job is asked whether it should go on.
_CHECK_EVERY = 500

METHODS = {
    "cash": mark("Cash"),
    "card": mark("Card"),
    "credit_card": mark("Credit card"),
    "debit_card": mark("Debit card"),
    "bank_transfer": mark("Bank transfer"),
    "transfer": mark("Transfer"),
    "check": mark("Cheque"),
    "mobile": mark("Mobile payment"),
    "other": mark("Other"),
}

Check = Callable[[], None]


def lists(make: Maker, most: int, check: Check) -> tuple[list[Part], int]:
    """The lists of expenses and of incomes.

    Args:
        most: rows of both together.

    Returns:
        The parts, and how many rows they leave out. What is left out counts in every subtotal.
    """
    report, say = make.report, make.words.say
    parts = [
        _list(make, say("All expenses"), report.expenses, most, False, check),
        _list(
            make,
            say("All income"),
            report.incomes,
            max(0, most - len(report.expenses)),
            True,
            check,
        ),
    ]
    left = sum(part["left"] for part in parts)
    return [part for part in parts if part["months"] or part["left"]], left


def _list(make: Maker, title: str, rows: Rows, most: int, income: bool, check: Check) -> Part:
    say, figures, totals = make.words.say, make.figures, make.report.totals
    left = max(0, len(rows) - most)
    sparse = not left and len(rows) < _SPARSE * len(make.report.months)
    shown = _by_month(make, rows, most, figures.day if sparse else figures.day_month, check)
    if sparse:
        together = [row for group in shown.values() for row in group]
        months = [{"title": "", "label": "", "total": "", "rows": together, "new_page": False}]
    else:
        months = [
            _month(make, each, shown.get(each.month, []), income)
            for each in make.report.months
            if each.month in shown or (each.income if income else each.spent)
        ]
        _begin_pages(months)
    return {
        "kind": "detail",
        "title": title,
        "heads": [
            *(say("Date"), say("Received from") if income else say("Paid to"), say("Category")),
            *(say("Paid with"), say("Original"), make.report.currency),
        ],
        "months": months,
        "total": [
            say("Total income") if income else say("Total spent"),
            figures.money(totals.income if income else totals.spent),
        ],
        "left": left,
        "omitted": _omitted(make, left, len(rows)) if left else "",
    }


def _omitted(make: Maker, left: int, all_of_them: int) -> str:
    n, of = make.figures.number(left), make.figures.number(all_of_them)
    return make.words.count(
        "{n} of {of} entries is left out of this list, the latest one. All totals contain it."
        " XLSX, CSV and JSON hold every entry.",
        "{n} of {of} entries are left out of this list, the latest ones. All totals contain them."
        " XLSX, CSV and JSON hold every entry.",
        left,
        n=n,
        of=of,
    )


def _begin_pages(months: list[Part]) -> None:
    together = 0
    for month in months:
        month["new_page"] = month["new_page"] or together >= _ROWS_TOGETHER
        together = len(month["rows"]) + (0 if month["new_page"] else together)


def _by_month(
    make: Maker, rows: Rows, most: int, dated: Callable[[date], str], check: Check
) -> dict[date, list[list[Any]]]:
    names = _Names(make)
    found: dict[date, list[list[Any]]] = {}
    for n, row in enumerate(islice(rows, most)):
        if n % _CHECK_EVERY == 0:
            check()
        found.setdefault(row.day.replace(day=1), []).append(_row(make, names, row, dated(row.day)))
    return found


class _Names:
    """Categories and ways to pay are few: each is looked up once."""

    def __init__(self, make: Maker) -> None:
        self._make = make
        self._known: dict[tuple[str, str], Said] = {}

    def category(self, row: Row) -> Said:
        key = "category", row.category_name
        if key not in self._known:
            self._known[key] = self._make.name(row.category_name)
        return self._known[key]

    def method(self, row: Row) -> Said:
        key = "method", row.payment_method
        if key not in self._known:
            word = METHODS.get(row.payment_method)
            said = clean(row.payment_method, 30) if word is None else self._make.words.say(word)
            self._known[key] = said
        return self._known[key]


def _row(make: Maker, names: _Names, row: Row, day: str) -> list[Any]:
    """Date, whom, what, category, method, original, base; and a mark where it is not converted."""
    figures = make.figures
    foreign = row.currency != make.report.currency
    about = clean(row.description or ("" if row.vendor else row.note), _DESCRIPTION)
    return [
        day,
        clean(row.vendor, _VENDOR),
        about,
        _part(make, row),
        names.category(row),
        names.method(row),
        figures.money(row.amount, row.currency) if foreign else "",
        NOTHING if row.base is None else figures.money(row.base),
    ]


def _part(make: Maker, row: Row) -> str:
    if row.base is None:
        return make.words.say("not converted")
    if not row.is_part:
        return ""
    return make.words.say(
        "{part} of {days} days of {whole}",
        part=row.part_days,
        days=row.days,
        whole=make.figures.money(row.whole, row.currency),
    )


def _month(make: Maker, month: MonthTotal, rows: list[list[Any]], income: bool) -> Part:
    total = month.income if income else month.spent
    return {
        "title": make.figures.month(month.month),
        "label": make.words.say("Total of {month}", month=make.figures.month_within(month.month)),
        "total": make.figures.money(total),
        "rows": rows,
        "new_page": month.month.month == 1,
    }


def receipts(make: Maker, folder: Path, check: Check) -> Iterator[Part]:
    """The pictures, each with the entry that it belongs to.

    They are put beside the template, which sees nothing else.
    """
    shown = make.report.receipts[:MOST_RECEIPTS]
    if not shown:
        return
    owners = _owners(make, {each.row_id for each in shown}, check)
    pictures = []
    for n, receipt in enumerate(shown, 1):
        check()
        name = f"receipt-{n:03}{_SUFFIXES.get(receipt.media_type, '.jpg')}"
        (folder / name).symlink_to(receipt.path.resolve())
        pictures.append(_picture(make, n, name, receipt, owners.get(receipt.row_id)))
    left = len(make.report.receipts) - len(shown)
    yield {
        "kind": "receipts",
        "title": make.words.say("Receipts"),
        "pictures": pictures,
        "note": make.words.count(
            "{n} more receipt is not shown.",
            "{n} more receipts are not shown.",
            left,
            n=make.figures.number(left),
        )
        if left
        else "",
    }


_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}


def _owners(make: Maker, wanted: set[UUID], check: Check) -> dict[UUID, Row]:
    found: dict[UUID, Row] = {}
    for rows in (make.report.expenses, make.report.incomes):
        for n, row in enumerate(rows):
            if n % _CHECK_EVERY == 0:
                check()
            if row.id in wanted:
                found.setdefault(row.id, row)
            if len(found) == len(wanted):
                return found
    return found


def _picture(make: Maker, n: int, file: str, receipt: Receipt, row: Row | None) -> Part:
    say, figures = make.words.say, make.figures
    label = say("Receipt {n}", n=n)
    if row is None:
        return {
            "file": file,
            "label": label,
            "about": clean(receipt.name, 60),
            "facts": "",
            "alt": plain(f"{label}: {receipt.name}"),
        }
    facts = f"{figures.day(row.day)} · {figures.money(row.whole, row.currency)}"
    about = row.vendor or row.description or row.category_name
    return {
        "file": file,
        "label": label,
        "about": clean(about, 60),
        "facts": facts,
        "alt": plain(f"{label}: {facts} · {about}"),
    }

"""From a report to its PDF: what the template reads, the template, and the process that sets it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.report_expenses.engine.book import Report
from tasks.report_expenses.engine.pdf import cover, detail, summary, tables
from tasks.report_expenses.engine.pdf.figures import Figures, locale_of
from tasks.report_expenses.engine.pdf.fonts import fonts_for
from tasks.report_expenses.engine.pdf.press import Limits, press
from tasks.report_expenses.engine.pdf.summary import Maker, Part, counts_miles
from tasks.report_expenses.engine.pdf.texts import clean, plain
from tasks.report_expenses.engine.pdf.words import Words

#: Rows of the list where nobody says otherwise, and never more: 80 MB of memory per thousand.
MAX_ROWS, MOST_ROWS = 5_000, 10_000
#: What stands on top of every page beside the title.
BRAND = "Wheels & Wins"

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Printing:
    """How this installation sets PDFs.

    Attributes:
        font_pack: a folder with more fonts, for Chinese, Japanese, Korean and coloured emoji.
        max_rows: entries in the list, at most `MOST_ROWS`.
    """

    font_pack: Path | None = None
    max_rows: int = MAX_ROWS
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Pdf:
    """A PDF that has been set.

    Attributes:
        omitted_rows: entries that its list leaves out; its totals contain them.
    """

    path: Path
    omitted_rows: int


def render_pdf(
    report: Report,
    folder: Path,
    *,
    check: Callable[[], None],
    csv: Path | None = None,
    csv_name: str = "expenses.csv",
    printing: Printing | None = None,
) -> Pdf:
    """Set a report as PDF/A-3a and PDF/UA-1. The same report gives the same bytes.

    Args:
        folder: of this attempt; a folder `pdf` is made anew in it and deleted again.
        check: raises when the job should stop; called often, and let pass.
        csv: is attached to the PDF as `csv_name`.

    Returns:
        `folder/report.pdf`.

    Raises:
        JobFailed: `PDF_TOO_LARGE` or `PDF_TOO_SLOW`, within the limits.
        PdfRefused: an error of ours.
    """
    printing = printing or Printing()
    root = folder / "pdf"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(_TEMPLATES, root)
    try:
        sheet, omitted = _sheet(report, root, min(printing.max_rows, MOST_ROWS), check)
        if csv is not None:
            sheet["csv"] = _attach(sheet["csv_about"], csv, csv_name, root)
        (root / "sheet.json").write_text(json.dumps(sheet, ensure_ascii=False), "utf-8")
        check()
        press(
            root,
            folder / "report.pdf",
            fonts=fonts_for(printing.font_pack, locale_of(report.policy.locale).language),
            timestamp=report.policy.generated_at,
            limits=printing.limits,
            check=check,
        )
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return Pdf(folder / "report.pdf", omitted)


def _sheet(
    report: Report,
    root: Path,
    max_rows: int,
    check: Callable[[], None],
) -> tuple[dict[str, Any], int]:
    """All that the template reads, and how many rows that leaves out."""
    figures = Figures(report.policy.locale, report.currency, report.exponent)
    words = Words(figures.locale.language)
    make = Maker(report, figures, words, miles=counts_miles(report, figures))
    lists, omitted = detail.lists(make, max_rows, check)
    sheet = {
        **_frame(make),
        "csv": None,
        "csv_about": words.say("All entries of this report as CSV"),
        "tiles": cover.tiles(make),
        "shares": cover.shares(make),
        "policy": {"title": words.say("How this report was made"), "rows": cover.policy(make)},
        "parts": [*_parts(make), *lists, *detail.receipts(make, root, check)],
    }
    return sheet, omitted


def _frame(make: Maker) -> dict[str, Any]:
    """What every page has: language, paper, fonts, and the words at its head and foot."""
    policy, say, figures = make.report.policy, make.words.say, make.figures
    period = figures.period(policy.first, policy.end)
    title = say("Expense report")
    return {
        "lang": make.words.language,
        "region": figures.territory if make.words.language == figures.locale.language else None,
        "paper": figures.paper,
        "brand": BRAND,
        "title": title,
        "subtitle": clean(policy.title or policy.trip, 90),
        "period": period,
        "document": plain(" · ".join(filter(None, (title, policy.title or policy.trip, period)))),
        "foot": say("Amounts in {currency}", currency=make.report.currency),
        "page": say("Page {n} of {of}"),
    }


def _attach(about: str, csv: Path, name: str, root: Path) -> Part:
    shutil.copyfile(csv, root / "attached.csv")
    return {"file": "attached.csv", "name": plain(name), "about": about}


def _parts(make: Maker) -> list[Part]:
    makers = (
        summary.categories,
        summary.line,
        summary.months,
        summary.budgets,
        tables.fuel,
        tables.mileage,
        summary.trip_map,
        tables.currencies,
        tables.unconverted,
    )
    return [part for each in makers for part in each(make)]

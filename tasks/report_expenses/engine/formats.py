"""The formats of a report: how each is written, and what its file is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.report_expenses.contract import Format, Period, ReportRequest
from tasks.report_expenses.engine.book import Report
from tasks.report_expenses.engine.csv_format import write_csv
from tasks.report_expenses.engine.json_format import write_json
from tasks.report_expenses.engine.pdf import Printing, render_pdf
from tasks.report_expenses.engine.xlsx_format import write_xlsx

#: Grows where the same books give other files: what older releases made is then not given again.
EDITION = 1

MEDIA_TYPES: dict[Format, str] = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}


@dataclass(frozen=True)
class Made:
    """A file of a report. `omitted`: lines that it leaves out, and says so."""

    path: Path
    omitted: int


def make(
    wanted: Format,
    report: Report,
    request: ReportRequest,
    folder: Path,
    check: Callable[[], None],
    printing: Printing,
) -> Made:
    """Make one format.

    Args:
        folder: of this attempt, for the file and whatever is needed on the way.
        check: called between pieces; raises where the job shall end.
    """
    path = folder / f"report.{wanted}"
    if wanted == "csv":
        omitted = write_csv(report, path, check, raw=request.raw_csv)
    elif wanted == "json":
        omitted = write_json(report, path, check)
    elif wanted == "xlsx":
        omitted = write_xlsx(report, path, check)
    else:
        return _make_pdf(report, request, folder, check, printing)
    return Made(path, omitted)


def _make_pdf(
    report: Report,
    request: ReportRequest,
    folder: Path,
    check: Callable[[], None],
    printing: Printing,
) -> Made:
    """The PDF, with the CSV attached where that is asked for as well."""
    attached = None
    if "csv" in request.formats:
        attached = folder / "attached.csv"
        write_csv(report, attached, check, raw=request.raw_csv)
    pdf = render_pdf(report, folder, check=check, csv=attached, printing=printing)
    return Made(pdf.path, pdf.omitted_rows)


def file_name(request: ReportRequest, period: Period, wanted: Format) -> str:
    """What people see: `expenses-2026-01.xlsx`.

    Of the request alone, so that all attempts of a job name their files alike.
    """
    if request.period is None:
        return f"expenses-trip.{wanted}"
    first, end = period.from_, period.to
    months = (end.year - first.year) * 12 + end.month - first.month
    if first.day == end.day == 1 and months == 1:
        days = f"{first:%Y-%m}"
    elif (first.month, first.day) == (end.month, end.day) == (1, 1) and months == 12:
        days = f"{first:%Y}"
    else:
        days = f"{first}-to-{end}"
    return f"expenses-{days}.{wanted}"

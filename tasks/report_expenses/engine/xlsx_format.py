"""A report as a workbook: sheets with numbers that are numbers, and charts that Excel draws."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.utility import xl_range_abs

from tasks.report_expenses.engine.book import Money, Report, Row, Rows
from tasks.report_expenses.engine.csv_format import PIECE
from tasks.report_expenses.engine.xlsx_sheet import MOST_ROWS, Sheet, Styles
from tasks.report_expenses.engine.xlsx_summary import write_summary

#: From so many lines on, rows go to disk as they are written; below, equal texts are kept once.
CONSTANT_MEMORY_FROM = 20_000

_COLUMNS = (
    *("Date", "Category", "Description", "Vendor", "Note", "Payment", "Tags", "Place", "Trip"),
    *("Amount", "Currency"),
)
_AFTER = ("Rate", "Rate of", "Rate from", "Whole amount", "Days counted", "Days")
_WIDTHS = (11, 18, 30, 22, 24, 12, 16, 18, 18, 13, 9, 14, 11, 11, 10, 13, 8, 6)
_BASE_COLUMN = len(_COLUMNS)


def write_xlsx(
    report: Report, path: Path, check: Callable[[], None], *, most_rows: int = MOST_ROWS
) -> int:
    """Write the workbook.

    Args:
        check: called between pieces; raises where the job shall end.
        most_rows: of a sheet; what is more goes to further sheets.

    Returns:
        How many lines were left out: none.
    """
    lines = len(report.expenses) + len(report.incomes)
    options = {
        "constant_memory": lines >= CONSTANT_MEMORY_FROM,
        # beside the file, which is the attempt's own folder
        "tmpdir": str(path.parent),
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd",
    }
    with Workbook(str(path), options) as book:
        book.set_properties({"title": report.policy.title or "Expense report"})
        book.set_size(2400, 1600)
        styles = Styles(book)
        write_summary(book, styles, report)
        for name, rows in (("Expenses", report.expenses), ("Income", report.incomes)):
            _lines(book, styles, name, rows, report.currency, check, most_rows)
        _budgets(book, styles, report)
        _fuel(book, styles, report)
        _currencies(book, styles, report)
        _mileage(book, styles, report)
    return 0


def _lines(
    book: Workbook,
    styles: Styles,
    name: str,
    rows: Rows,
    currency: str,
    check: Callable[[], None],
    most_rows: int,
) -> None:
    sheet, total, sheets = _open(book, styles, name, currency), Decimal(0), 1
    for number, row in enumerate(rows):
        if number % PIECE == 0:
            check()
        if sheet.row == most_rows - 1:  # the last row is that of the sum
            _close(sheet, styles, currency, total)
            sheets, total = sheets + 1, Decimal(0)
            sheet = _open(book, styles, f"{name} {sheets}", currency)
        total += row.base or 0
        sheet.write(*_cells(row, currency))
    _close(sheet, styles, currency, total)


def _open(book: Workbook, styles: Styles, name: str, currency: str) -> Sheet:
    sheet = Sheet(book, styles, name)
    sheet.head(*_COLUMNS, f"In {currency}", *_AFTER, widths=_WIDTHS)
    sheet.page.freeze_panes(1, 1)
    return sheet


def _close(sheet: Sheet, styles: Styles, currency: str, total: Decimal) -> None:
    """A filter for the lines, and below them a sum that follows it."""
    last = max(sheet.row - 1, 1)
    sheet.page.autofilter(0, 0, last, len(_COLUMNS) + len(_AFTER))
    cells = xl_range_abs(1, _BASE_COLUMN, last, _BASE_COLUMN)
    row = max(sheet.row, 2)
    sheet.page.write_string(row, 0, "Total", styles.bold)
    sheet.page.write_formula(
        row,
        _BASE_COLUMN,
        f"=SUBTOTAL(109,{cells})",
        styles.money(currency, bold=True),
        float(total),
    )


def _cells(row: Row, currency: str) -> tuple[object, ...]:
    base = None if row.base is None else Money(row.base, currency)
    return (
        *(row.day, row.category_name, row.description, row.vendor, row.note, row.payment_method),
        *("; ".join(row.tags), row.place, row.trip),
        *(Money(row.amount, row.currency), row.currency, base, row.rate, row.rate_day),
        *(row.rate_source, Money(row.whole, row.currency), row.part_days, row.days),
    )


def _budgets(book: Workbook, styles: Styles, report: Report) -> None:
    sheet = Sheet(book, styles, "Budgets")
    sheet.head(
        *("Budget", "Month", "Category", "Trip", "Budgeted", "Spent", "Currency", "Used", "Alert"),
        "Not converted",
        widths=(24, 10, 18, 22, 13, 13, 9, 9, 9, 30),
    )
    sheet.page.freeze_panes(1, 1)
    for each in report.budgets:
        sheet.write(
            *(each.name, each.month and (each.month, styles.month), each.category, each.trip),
            *(Money(each.amount, each.currency), Money(each.spent, each.currency), each.currency),
            *((each.fraction, styles.share), each.alert, _listed(each.foreign)),
        )


def _fuel(book: Workbook, styles: Styles, report: Report) -> None:
    sheet = Sheet(book, styles, "Fuel")
    sheet.head(
        *("Vehicle", "Fills", "Litres", "Kilometres", "l/100 km", "mpg (US)", "mpg (imperial)"),
        *("Best l/100 km", "Worst l/100 km", "Spent", "Per km", "Fills without a price"),
        widths=(24, 7, 11, 12, 10, 10, 14, 13, 14, 24, 24, 20),
    )
    sheet.page.freeze_panes(1, 1)
    two = styles.decimals(2)
    for each in report.fuel:
        kilometres = Decimal(each.distance_m) / 1000
        sheet.write(
            *(each.vehicle, each.fills, (each.volume_l, two), (kilometres, styles.decimals(1))),
            *((each.l_per_100km, two), (each.mpg_us, two), (each.mpg_imperial, two)),
            *((each.best, two), (each.worst, two)),
            *(_listed(each.spent), _listed(each.cost_per_km), each.unpriced),
        )


def _currencies(book: Workbook, styles: Styles, report: Report) -> None:
    sheet = Sheet(book, styles, "Currencies")
    sheet.head(
        *("Side", "Currency", "Entries", "Amount", "Of that converted", f"In {report.currency}"),
        "Not converted",
        widths=(10, 10, 9, 16, 18, 16, 16),
    )
    for each in report.currencies:
        own = each.currency
        sheet.write(
            *(each.side, own, each.count, Money(each.amount, own), Money(each.converted, own)),
            *(Money(each.base, report.currency), Money(each.unconverted, own)),
        )
    sheet.skip()
    sheet.head("Rate of", "From", "Entries", "First day", "Last day")
    for rate in report.policy.rates:
        sheet.write(rate.currency, rate.source, rate.entries, rate.first, rate.last)


def _mileage(book: Workbook, styles: Styles, report: Report) -> None:
    sheet = Sheet(book, styles, "Mileage")
    sheet.head("Vehicle", "Purpose", "Drives", "Kilometres", "Miles", widths=(24, 12, 8, 12, 12))
    one = styles.decimals(1)
    for each in report.mileage:
        kilometres = Decimal(each.distance_m) / 1000
        miles = each.distance_m / Decimal("1609.344")
        sheet.write(each.vehicle, each.purpose, each.drives, (kilometres, one), (miles, one))


def _listed(amounts: tuple[Money, ...]) -> str:
    return ", ".join(f"{each.amount:f} {each.currency}" for each in amounts)

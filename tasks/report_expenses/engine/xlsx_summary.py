"""The first sheet of the workbook: how the report was made, its sums, and two charts."""

from __future__ import annotations

from datetime import UTC

from xlsxwriter import Workbook

from tasks.report_expenses.engine.book import CategoryTotal, Money, Report
from tasks.report_expenses.engine.xlsx_sheet import Sheet, Styles

_CHART = {"width": 620, "height": 300}
_CHART_COLUMN = 7


def write_summary(book: Workbook, styles: Styles, report: Report) -> None:
    """Write the sheet; it comes first."""
    sheet = Sheet(book, styles, "Summary")
    sheet.page.set_column(0, 0, 26)
    sheet.page.set_column(1, 6, 15)
    sheet.write(report.policy.title or "Expense report", style=styles.title)
    _policy(sheet, report)
    sheet.skip()
    _totals(sheet, report)
    sheet.skip()
    top = sheet.row
    _categories(book, sheet, styles, report, top)
    sheet.skip()
    _months(book, sheet, styles, report, top + 16)
    if report.unconverted:
        sheet.skip()
        sheet.write("Not converted: in no total", style=styles.bold)
        sheet.head("Side", "Currency", "Amount", "Entries")
        for each in report.unconverted:
            amount = Money(each.amount, each.currency)
            sheet.write(each.side, each.currency, amount, each.count)


def _policy(sheet: Sheet, report: Report) -> None:
    policy = report.policy
    filters = (*policy.categories, *policy.tags, *policy.payment_methods)
    sources = sorted({each.source for each in policy.rates})
    at = policy.generated_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    for name, value in (
        ("Period", f"{policy.first} to {policy.end} (not included), {policy.days} days"),
        ("Trip", policy.trip),
        ("Time zone", policy.zone),
        ("Currency", report.currency),
        ("Rates", ", ".join(sources) + ", each of its day and kept" if sources else ""),
        ("Rounding", policy.rounding),
        ("Filters", ", ".join(filters)),
        ("Made", at),
        ("Report", str(policy.report_id)),
        ("Revision of the books", policy.revision),
    ):
        if value:
            sheet.write(name, value)


def _totals(sheet: Sheet, report: Report) -> None:
    totals, currency = report.totals, report.currency
    sheet.head("Total", currency, "Entries")
    for name, amount, count in (
        ("Spent", totals.spent, totals.expenses),
        ("Income", totals.income, totals.incomes),
        ("Net", totals.net, None),
        ("Spent in the period before", report.before.spent, None),
        ("Spent per day", totals.per_day, None),
        ("Spent per night", totals.per_night, None),
        ("Spent per km", totals.per_km, None),
        ("Spent per mile", totals.per_mile, None),
    ):
        if amount is not None:
            sheet.write(name, Money(amount, currency), count)


def _categories(
    book: Workbook, sheet: Sheet, styles: Styles, report: Report, chart_row: int
) -> None:
    first = sheet.head("Category", report.currency, "Share", "Entries", "Before", "Not converted")
    spent = [each for each in report.categories if each.side == "expense"]
    for each in spent:
        sheet.write(*_category(each, styles, report.currency))
    last = sheet.row - 1
    for each in report.categories:
        if each.side == "income":
            name, *cells = _category(each, styles, report.currency)
            sheet.write(f"Income: {name}", *cells)
    if spent:
        chart = book.add_chart({"type": "bar"})
        chart.add_series(
            {
                "categories": [sheet.name, first + 1, 0, last, 0],
                "values": [sheet.name, first + 1, 1, last, 1],
                "fill": {"color": "#2E8B8B"},
            }
        )
        chart.set_title({"name": f"Spent by category, {report.currency}", "overlay": False})
        chart.set_legend({"none": True})
        chart.set_y_axis({"reverse": True})
        chart.set_size(_CHART)
        options = {"description": f"Bars of the {len(spent)} categories in the table beside"}
        sheet.page.insert_chart(chart_row, _CHART_COLUMN, chart, options)


def _category(each: CategoryTotal, styles: Styles, currency: str) -> tuple[object, ...]:
    before = None if each.before is None else Money(each.before, currency)
    foreign = ", ".join(f"{money.amount:f} {money.currency}" for money in each.foreign)
    share = None if each.share is None else (each.share, styles.share)
    return each.name, Money(each.base, currency), share, each.count, before, foreign


def _months(book: Workbook, sheet: Sheet, styles: Styles, report: Report, chart_row: int) -> None:
    first = sheet.head("Month", "Spent", "Income")
    for each in report.months:
        spent, income = (Money(value, report.currency) for value in (each.spent, each.income))
        sheet.write((each.month, styles.month), spent, income)
    chart = book.add_chart({"type": "column"})
    for column, color in ((1, "#2E8B8B"), (2, "#E0A030")):
        chart.add_series(
            {
                "name": [sheet.name, first, column],
                "categories": [sheet.name, first + 1, 0, sheet.row - 1, 0],
                "values": [sheet.name, first + 1, column, sheet.row - 1, column],
                "fill": {"color": color},
            }
        )
    chart.set_title({"name": f"By month, {report.currency}", "overlay": False})
    chart.set_x_axis({"date_axis": True, "num_format": "yyyy-mm"})
    chart.set_size(_CHART)
    options = {"description": "Columns of the months in the table beside"}
    sheet.page.insert_chart(chart_row, _CHART_COLUMN, chart, options)

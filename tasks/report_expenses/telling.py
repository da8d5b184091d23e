"""What the job of a report answers: its files, and the sums that all of them show."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from tasks.report_expenses.contract import File, Period, ReportResult, Totals
from tasks.report_expenses.contract.result import Amount, CategorySum, CurrencySum, UnconvertedSum
from tasks.report_expenses.engine.book import Report


def result_of(
    report: Report,
    files: list[File],
    omitted: dict[str, int],
    period: Period,
    fingerprint: str,
    job_id: UUID,
) -> ReportResult:
    """The result of a job that has made these files."""
    return ReportResult(
        artifacts=files,
        totals=_totals(report),
        rows=len(report.expenses) + len(report.incomes),
        omitted_rows={"pdf": 0} | omitted,
        unconverted=[
            UnconvertedSum(
                side=each.side,
                amount=f"{each.amount:f}",
                currency=each.currency,
                count=each.count,
            )
            for each in report.unconverted
        ],
        period=period,
        currency=report.currency,
        revision=report.policy.revision,
        fingerprint=fingerprint,
        made_by=job_id,
    )


def _totals(report: Report) -> Totals:
    totals, currency = report.totals, report.currency

    def said(amount: Decimal) -> Amount:
        return Amount(amount=f"{amount:f}", currency=currency)

    def maybe(amount: Decimal | None) -> Amount | None:
        return None if amount is None else said(amount)

    return Totals(
        spent=said(totals.spent),
        income=said(totals.income),
        net=said(totals.net),
        per_day=said(totals.per_day),
        per_night=maybe(totals.per_night),
        per_km=maybe(totals.per_km),
        before=said(report.before.spent),
        expenses=totals.expenses,
        incomes=totals.incomes,
        categories=[
            CategorySum(
                category=each.category,
                amount=f"{each.base:f}",
                currency=currency,
                count=each.count,
            )
            for each in report.categories
            if each.side == "expense"
        ],
        currencies=[
            CurrencySum(
                amount=f"{each.amount:f}",
                currency=each.currency,
                converted=said(each.base),
                count=each.count,
            )
            for each in report.currencies
            if each.side == "expense"
        ],
    )

"""The typed pair of the kind `report_expenses`: what is asked for, and the files that come out."""

from core.kind import Kind, Lane
from tasks.report_expenses.contract.periods import Period, Relative
from tasks.report_expenses.contract.request import Filters, Format, ReportRequest, dated
from tasks.report_expenses.contract.result import File, ReportResult, Totals

REPORT_EXPENSES = Kind(
    "report_expenses",
    ReportRequest,
    ReportResult,
    lane=Lane.COMPUTE,
    # a hundred thousand rows in all formats take a minute on a slow machine
    time_limit_s=300.0,
    schedulable=True,
    dated=dated,
)

__all__ = [
    "REPORT_EXPENSES",
    "File",
    "Filters",
    "Format",
    "Period",
    "Relative",
    "ReportRequest",
    "ReportResult",
    "Totals",
    "dated",
]

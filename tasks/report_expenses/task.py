"""The kind `report_expenses`, wired to the books of whoever asks."""

from core.kind import Run
from services.artifacts.store import open_store
from tasks import process
from tasks.attendant import ActiveRun
from tasks.base import job
from tasks.report_expenses.contract import REPORT_EXPENSES, ReportRequest, ReportResult
from tasks.report_expenses.engine.pdf import Printing
from tasks.report_expenses.making import make_report


@job(REPORT_EXPENSES)
def report_expenses(request: ReportRequest, run: Run) -> ReportResult:
    """Report the books of the job's owner."""
    assert isinstance(run, ActiveRun)  # whose books these are stands in the claim alone
    here, claimed = process.current(), run.claimed
    return make_report(
        request,
        run,
        database=here.app,
        store=open_store(here.settings),
        owner_id=claimed.owner_id,
        job_id=claimed.job_id,
        printing=Printing(here.settings.report_fonts, here.settings.report_pdf_rows),
    )

"""Importing expenses: what is asked for, and what came of it."""

from __future__ import annotations

from core.kind import Kind, Lane, Priority
from tasks.import_expenses.contract.request import ImportOptions as ImportOptions
from tasks.import_expenses.contract.request import ImportRequest as ImportRequest
from tasks.import_expenses.contract.result import ImportResult as ImportResult

IMPORT_EXPENSES: Kind[ImportRequest, ImportResult] = Kind(
    name="import_expenses",
    request=ImportRequest,
    result=ImportResult,
    # reading 100,000 lines is a matter of the processor, and the commit at its end holds its run
    # for seconds, which threads of one process would all feel
    lane=Lane.COMPUTE,
    time_limit_s=300.0,
    # who waits for a plan of seconds goes before who imports years
    priority=Priority.BATCH,
)

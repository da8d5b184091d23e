"""The kind `import_expenses`, wired to the uploaded file and its owner's books."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import PrivateAttr
from sqlalchemy.orm import Session

from core.database import perform
from core.errors import AppError
from core.ids import new_id
from core.kind import JobFailed, Run
from services.artifacts import rows
from services.artifacts.store import open_store
from services.books import imports
from services.jobs.claim import Claimed
from tasks import process
from tasks.base import job
from tasks.import_expenses.contract import IMPORT_EXPENSES, ImportRequest, ImportResult
from tasks.import_expenses.engine import Bounds, Checked, read_file
from tasks.import_expenses.owner import OwnersBooks


class Read(ImportResult):
    """A result, and what the commit still has to write."""

    _checked: Checked = PrivateAttr()

    @classmethod
    def of(cls, checked: Checked) -> Read:
        made = cls.model_construct(**dict(checked.result))
        made._checked = checked
        return made


def write_to_books(
    session: Session, claimed: Claimed, request: ImportRequest, result: ImportResult
) -> ImportResult:
    """Write all lines in the commit that ends the job; of a dry run, none."""
    if request.dry_run or not isinstance(result, Read):
        return result
    checked = result._checked
    steps = imports.write(
        claimed.owner_id,
        checked.rows.batches(imports.BATCH),
        base=checked.base,
        keys=checked.categories,
        trips=checked.trips,
        made=checked.made,
    )
    try:
        perform(session, steps)
    except imports.BooksChanged as changed:  # the next attempt reads the books anew
        raise JobFailed(changed.code, changed.detail, status=409, retryable=True) from None
    return result


@job(IMPORT_EXPENSES, keep=write_to_books)
def import_expenses(request: ImportRequest, run: Run) -> ImportResult:
    """Read the file that was uploaded; what it holds is written by the commit."""
    here = process.current()
    bounds = Bounds(here.settings.import_max_lines, here.settings.import_errors_shown)
    books = OwnersBooks(here.app, run.owner_id)
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder) / "upload.csv"
        _fetch(here, run, request, path)
        checked = read_file(path, request, books=books, run=run, bounds=bounds, new_id=new_id)
    return Read.of(checked)


def _fetch(here: process.Process, run: Run, request: ImportRequest, path: Path) -> None:
    """
    Raises:
        JobFailed: the file is not there (any more), or its store is away.
    """
    try:
        with here.app.transaction(run.owner_id) as session:
            file = perform(session, rows.read(run.owner_id, request.file_id))
        with path.open("wb") as into:
            open_store(here.settings).fetch(file.location, into)
    except AppError as error:
        away = error.status == 503
        raise JobFailed(error.code, error.detail, error.status, retryable=away) from error

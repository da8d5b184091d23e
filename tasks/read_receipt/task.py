"""The kind `read_receipt`, wired to its reader."""

from datetime import UTC, datetime

from core.kind import Run
from services.artifacts.store import open_store
from services.receipts.shelf import Shelf
from tasks import process
from tasks.base import job
from tasks.read_receipt.contract import READ_RECEIPT, Reading, ReadRequest
from tasks.read_receipt.engine.rapid import NAME
from tasks.read_receipt.engine.reading import read_pages
from tasks.read_receipt.wiring import keep_reading, pictures_of, reader_here


@job(READ_RECEIPT, keep=keep_reading)
def read_receipt(request: ReadRequest, run: Run) -> Reading:
    """Read what a receipt seems to say."""
    here, reader = process.current(), reader_here()
    pages = pictures_of(Shelf(open_store(here.settings), here.app, run.owner_id), request)
    today = datetime.now(UTC).date()
    return read_pages(request, pages, run=run, reader=reader, engine=NAME, today=today)

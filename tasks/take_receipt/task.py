"""The kind `take_receipt`, wired to the store of its bytes."""

from core.kind import Run
from services.artifacts.store import open_store
from services.receipts.shelf import Shelf
from tasks import process
from tasks.base import job
from tasks.take_receipt.contract import TAKE_RECEIPT, TakenReceipt, TakeRequest
from tasks.take_receipt.taking import keep_taken, take


@job(TAKE_RECEIPT, keep=keep_taken)
def take_receipt(request: TakeRequest, run: Run) -> TakenReceipt:
    """Make a receipt of what somebody sent."""
    here = process.current()
    shelf = Shelf(open_store(here.settings), here.app, run.owner_id)
    return take(shelf, request.receipt_id, here.settings.max_receipt_pages, run.check)

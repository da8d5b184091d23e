"""What can be wrong with what is asked of a receipt."""

from __future__ import annotations

from core.errors import AppError, Conflict, NotFound


class ReceiptNotFound(NotFound):
    """There is no such receipt."""

    code = "RECEIPT_NOT_FOUND"


class ReceiptNotReady(Conflict):
    """The receipt is still being looked at, or its file was refused."""

    code = "RECEIPT_NOT_READY"


class NoSuchPage(NotFound):
    """There is no picture of this page."""

    code = "PAGE_NOT_FOUND"


class TooManyReceipts(Conflict):
    """You have as many receipts as one user may have; delete some first."""

    code = "TOO_MANY_RECEIPTS"


class ReceiptStorageFull(Conflict):
    """Your receipts take all the space that one user has; delete some first."""

    code = "RECEIPT_STORAGE_FULL"


class ReceiptTooLarge(AppError):
    """The file is larger than a receipt may be."""

    status, code = 413, "RECEIPT_TOO_LARGE"


class NotAReceipt(AppError):
    """A receipt is a JPEG, PNG, WebP, HEIC or PDF file."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"

"""Whatever the original is, the part of the engine that understands it."""

from __future__ import annotations

from tasks.take_receipt.engine.product import Limits, Taken


def look(content: bytes, media_type: str, limits: Limits) -> Taken:
    """Make of an original what is kept.

    Args:
        media_type: by its first bytes.

    Raises:
        Refused
    """
    # each with its libraries: a process of a second's life loads one of them
    if media_type == "application/pdf":
        from tasks.take_receipt.engine.documents import take_document

        return take_document(content, limits)
    from tasks.take_receipt.engine.pictures import take_picture

    return take_picture(content, media_type, limits)

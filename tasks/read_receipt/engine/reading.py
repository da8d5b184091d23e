"""All pages of a receipt read, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from core.kind import Progress, Run
from tasks.read_receipt.contract import Reading, ReadRequest
from tasks.read_receipt.engine.lines import Line, Reader, lines_of
from tasks.read_receipt.engine.understanding import understand


def read_pages(
    request: ReadRequest,
    pages: Sequence[bytes],
    *,
    run: Run,
    reader: Reader,
    engine: str,
    today: date,
) -> Reading:
    """Read pictures of the pages, and say what they seem to say.

    Args:
        engine: what the reader is called.

    Raises:
        RunStopped
    """
    lines: list[Line] = []
    for number, page in enumerate(pages):
        message = f"page {number + 1} of {len(pages)}"
        run.report(Progress(fraction=number / len(pages), stage="reading", message=message))
        lines += lines_of(reader(page))
    run.check()
    understood = understand(lines, request.country, today)
    return Reading(
        receipt_id=request.receipt_id, engine=engine, pages=len(pages), **vars(understood)
    )

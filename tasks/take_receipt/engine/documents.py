"""PDF: what its pages show is drawn into a new document, and all else is left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO

import pypdfium2
import pypdfium2.raw as pdfium

from tasks.take_receipt.engine.pictures import LONG_EDGE, jpeg, thumbnail
from tasks.take_receipt.engine.product import Limits, Product, Refused, Taken, broken

#: How many pages are kept as pictures too.
PREVIEWS = 3
#: How a JPEG begins; photographs lie in a PDF as they came.
_JPEG = re.compile(rb"\xff\xd8(?=\xff)")
#: Markers of JPEG segments (ITU T.81, table B.1). Scan: from there on it is pixels. Of the others
#: only what decoders need is kept: of the applications' own those of JFIF, ICC and Adobe.
SCAN, COMMENT = 0xDA, 0xFE
TELLING = {COMMENT, *range(0xE0, 0xF0)} - {0xE0, 0xE2, 0xEE}


def take_document(content: bytes, limits: Limits) -> Taken:
    """
    Raises:
        Refused: it is broken, encrypted, or has too many pages.
    """
    try:
        source = _opened(content)
        pages = len(source)
        if pages > limits.pages:
            detail = f"A PDF has at most {limits.pages} pages; this one has {pages}."
            raise Refused("PDF_TOO_LONG", detail)
        if pages < 1:
            raise broken()
        clean = _redrawn(source)
        source.close()
        previews = list(_previews(clean))
    except pypdfium2.PdfiumError as error:
        raise broken() from error
    return Taken(pages, [Product("file", 0, "application/pdf", clean), *previews])


def _opened(content: bytes) -> pypdfium2.PdfDocument:
    locked = Refused("PDF_ENCRYPTED", "The PDF is encrypted; send it without a password.")
    try:
        source = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise locked from None
        raise
    if pdfium.FPDF_GetSecurityHandlerRevision(source) != -1:
        raise locked  # opens without a password, and yet forbids things
    return source


def _redrawn(source: pypdfium2.PdfDocument) -> bytes:
    """What the pages show, text included, in a document of its own.

    Scripts, attachments, links, forms and metadata are no part of it, nor is what stood
    before or behind the PDF in its file.
    """
    target = pypdfium2.PdfDocument.new()
    for number in range(len(source)):
        page = source[number]
        # what was stamped on it or filled in becomes part of the page
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        size = page.get_size()
        page.close()
        # captured as it is seen: cropped and turned
        drawn = target.new_page(*size)
        drawn.insert_obj(source.page_as_xobject(number, target).as_pageobject())
        drawn.gen_content()
        drawn.close()
    written = BytesIO()
    target.save(written)
    target.close()
    return _blanked(written.getvalue())


def _blanked(content: bytes) -> bytes:
    """The same, without what the photographs in it say of time and place; no byte moves."""
    cleared = bytearray(content)
    for found in _JPEG.finditer(content):
        for first, last in _telling(content, found.end()):
            cleared[first:last] = bytes(last - first)
    return bytes(cleared)


def _telling(content: bytes, at: int) -> list[tuple[int, int]]:
    """Where the segments from `at` on say what a photograph need not; of what is no JPEG, none."""
    found: list[tuple[int, int]] = []
    while content[at : at + 1] == b"\xff" and at + 4 <= len(content):
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == SCAN:
            return found
        end = at + 2 + length
        if length < 2 or end > len(content):
            break
        if marker in TELLING:
            found.append((at + 4, end))
        at = end
    return []


def _previews(clean: bytes) -> Iterator[Product]:
    """Pictures of the first pages, drawn from what is kept."""
    document = pypdfium2.PdfDocument(clean)
    for number in range(min(PREVIEWS, len(document))):
        page = document[number]
        drawn = page.render(scale=LONG_EDGE / max(*page.get_size(), 1.0), may_draw_forms=False)
        image = drawn.to_pil().convert("RGB")
        yield Product("page", number + 1, "image/jpeg", jpeg(image))
        if number == 0:
            yield thumbnail(image)
    document.close()

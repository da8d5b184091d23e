"""The PDF of a report, set by typst in a process of its own."""

from tasks.report_expenses.engine.pdf.press import Limits, PdfRefused
from tasks.report_expenses.engine.pdf.render import MAX_ROWS, MOST_ROWS, Pdf, Printing, render_pdf

__all__ = ["MAX_ROWS", "MOST_ROWS", "Limits", "Pdf", "PdfRefused", "Printing", "render_pdf"]

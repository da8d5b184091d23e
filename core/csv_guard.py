"""Text that a spreadsheet shows and never runs, and the way back to what it was.

A cell that begins like a formula is one for Excel, LibreOffice and Sheets, whoever wrote it. An
apostrophe before it makes it text (OWASP ASVS 5, requirement 1.2.10). For text columns only: a
negative amount must stay a number.
"""

from __future__ import annotations

import re

#: What begins a formula, in both widths, and what some programs strip before they look.
_FORMULA = "=+\\-@\t\r\n\0＝＋－＠"
# Apostrophes that are there already are counted in, so that each guard can be taken off again.
_RISKY = re.compile(f"'*[{_FORMULA}]")
_GUARDED = re.compile(f"'+[{_FORMULA}]")


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula; most texts are one already."""
    return "'" + text if _RISKY.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` made this of, whatever it was."""
    return text[1:] if _GUARDED.match(text) else text

"""Who sold it: the first large print of a receipt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.read_receipt.contract import Suggestion
from tasks.read_receipt.engine.lines import Line

#: So many lines at the top may name the vendor.
TOP = 5
#: A line is larger than another where it is higher by so much: reading measures roughly.
LARGER = 1.25
#: How much the name is believed where it is printed larger than the rest, and where it is not.
LARGE, FIRST = 0.9, 0.7
_OTHER = re.compile(
    r"\b(receipt|invoice|tax|welcome|quittung|rechnung|beleg|bon|recibo|factura|ticket|date|datum"
    r"|fecha|tel|phone|www|abn|rfc|ust|copy|kopie)\b|https?:|@",
    re.IGNORECASE,
)


def vendor_of(lines: Sequence[Line]) -> Suggestion | None:
    """The highest line at the top that can be a name; of those alike the first."""
    names = [line for line in lines[:TOP] if _can_be_a_name(line.text)]
    if not names:
        return None
    found = names[0]
    for line in names[1:]:
        if line.height > LARGER * found.height:
            found = line
    usual = sorted(line.height for line in lines)[len(lines) // 2]
    belief = LARGE if found.height > LARGER * usual else FIRST
    confidence = round(belief * found.confidence, 3)
    return Suggestion(value=found.text.strip(" *#-"), confidence=confidence, text=found.text)


def _can_be_a_name(text: str) -> bool:
    letters = sum(each.isalpha() for each in text)
    return letters >= 3 and letters * 2 > len(text.replace(" ", "")) and not _OTHER.search(text)

"""Texts of the owner, made fit for a page: they stay what they were, and nothing in them acts.

The template gets them as JSON strings, so that typst never reads them as markup. What is left to
do here: PDF/A knows no control characters, no private ones and no half surrogates, and a word
without an end would run into the next column.
"""

from __future__ import annotations

import re
import unicodedata

#: A text as the template takes it: plain, or `{"rtl": text}` where it runs from right to left.
Said = str | dict[str, str]

_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
#: Controls, surrogates, private and non-characters, and the byte order mark.
_ODD = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e00ff\U000f0000-\U0010ffff]"
    "|["
    + "".join(chr((plane << 16) + 0xFFFE) + chr((plane << 16) + 0xFFFF) for plane in range(1, 15))
    + "]"
)
_RTL = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
#: A Latin word goes on for so long that it needs a place where it may break. No other script:
#: a break would part Arabic letters that are joined, and Chinese breaks anywhere.
_LONG = re.compile("[\x21-\u024f]{18}(?=[\x21-\u024f])")


def clean(text: str, most: int = 160) -> Said:
    """A text for the template.

    Args:
        most: characters that are kept; what is longer ends in `…`.
    """
    if text.isascii() and text.isprintable() and len(text) <= 18:
        return text
    text = _ODD.sub(_visible, _BREAKS.sub(" ", text))
    if len(text) > most:
        text = text[: most - 1] + "…"
    text = _LONG.sub("\\g<0>\u200b", text)
    return {"rtl": text} if _runs_left(text) else text


def plain(text: str, most: int = 160) -> str:
    """The same for where a text has no direction: alt texts, names of files, the title."""
    text = _ODD.sub(_visible, _BREAKS.sub(" ", text))
    return text if len(text) <= most else text[: most - 1] + "…"


def _visible(odd: re.Match[str]) -> str:
    """C0 controls have pictures of their own; a tag of a flag is left out; others are `�`."""
    code = ord(odd[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return "" if code == 0xFEFF or 0xE0000 <= code < 0xE0100 else "\ufffd"


def _runs_left(text: str) -> bool:
    """Whether the first letter with a direction is of a script that runs from right to left."""
    if not _RTL.search(text):
        return False
    for letter in text:
        direction = unicodedata.bidirectional(letter)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False

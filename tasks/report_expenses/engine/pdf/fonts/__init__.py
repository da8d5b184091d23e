"""The fonts of a report: those that are shipped, and the order in which a letter is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FONTS = Path(__file__).parent
#: First for Latin, Greek and Cyrillic; then those of other scripts.
SHIPPED = (
    "Inter",
    "Vazirmatn",  # each letter is one shape, so that what is copied is what was written
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Thai",
    "Noto Sans Devanagari",
)
#: After what a folder brings: emoji in one colour, symbols, and a box for all that is left.
LAST = ("Noto Emoji", "Noto Sans Symbols", "Wheels Box")
#: Which of several fonts for Chinese letters a reader of a language is used to.
_HAN = {"ja": "JP", "ko": "KR", "zh": "SC"}


@dataclass(frozen=True)
class Fonts:
    """Where fonts are, and which go first.

    Attributes:
        han: part of the name of the font for Chinese letters that goes before its sisters.
    """

    folders: tuple[Path, ...]
    han: str


def fonts_for(pack: Path | None, language: str) -> Fonts:
    """Those that are shipped, and those of a folder that somebody gave us."""
    folders = (FONTS,) if pack is None else (FONTS, pack)
    return Fonts(folders, _HAN.get(language, "JP"))

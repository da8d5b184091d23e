"""Makes the font of the last resort: one empty box for every character that no other font has.

PDF/A forbids text without a glyph, and typst would refuse the report for one strange letter in the
name of a shop. The box keeps the report, and the text that a reader copies stays what it was.

    python -m local.box_font tasks/report_expenses/engine/pdf/fonts/WheelsBox.ttf
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable  # type: ignore[import-untyped]

#: Not "Last Resort": typst leaves that one out.
FAMILY = "Wheels Box"
#: Font units: of the em, of the box and of its line.
EM, LEFT, RIGHT, FOOT, HEAD, LINE = 1000, 80, 520, 0, 700, 50
#: 1 January 2026 in seconds since 1904, so that the same script makes the same bytes.
MADE = 3_850_070_400
#: Control, surrogate and private codes, and the marks that have no shape of their own (format).
_NOT_TEXT = {"Cc", "Cs", "Co", "Cf"}
#: Format characters that do have a shape (Unicode: Prepended_Concatenation_Mark, and the
#: joiners of hieroglyphs).
_SHAPED = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
_SHAPED |= set(range(0x13430, 0x13440))


def _box() -> object:
    pen = TTGlyphPen(None)
    inner = (LEFT + LINE, FOOT + LINE, RIGHT - LINE, HEAD - LINE)
    for (left, foot, right, head), clockwise in (((LEFT, FOOT, RIGHT, HEAD), True), (inner, False)):
        corners = [(left, foot), (left, head), (right, head), (right, foot)]
        if not clockwise:
            corners.reverse()
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def _characters() -> dict[int, str]:
    """What can stand in a text, also characters that a later Unicode will assign."""
    return {
        code: "box"
        for code in range(0x20, 0x110000)
        if (code in _SHAPED or unicodedata.category(chr(code)) not in _NOT_TEXT)
        and code & 0xFFFE != 0xFFFE
    }


def build(path: Path) -> None:
    """Write the font. The same every time."""
    builder = FontBuilder(EM, isTTF=True)
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupGlyf({".notdef": _box(), "box": _box()})
    builder.setupHorizontalMetrics({".notdef": (600, LEFT), "box": (600, LEFT)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    names = {"familyName": FAMILY, "styleName": "Regular", "psName": "WheelsBox-Regular"}
    builder.setupNameTable(names)
    builder.setupCharacterMap({0x25A1: "box"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    # format 13 says "all of these are that glyph" in one line a range
    many = CmapSubtable.newSubtable(13)
    many.platformID, many.platEncID, many.language, many.cmap = 3, 10, 0, _characters()
    builder.font["cmap"].tables.append(many)
    builder.font["head"].created = builder.font["head"].modified = MADE
    builder.font.recalcTimestamp = False
    builder.save(path)


if __name__ == "__main__":
    build(Path(sys.argv[1]))

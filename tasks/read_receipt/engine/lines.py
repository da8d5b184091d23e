"""Pieces of print and the lines that they stand in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Print as a reader finds it.

    Attributes:
        confidence: of the reader, 0 to 1.
        left, top, height: in pixels of its page.
    """

    text: str
    confidence: float
    left: float
    top: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


@dataclass(frozen=True)
class Line:
    """A line of a receipt: what it says, how sure that is, and how high it is printed."""

    text: str
    confidence: float
    height: float


#: Reads the print of a picture (JPEG).
Reader = Callable[[bytes], list[Piece]]


def lines_of(pieces: Sequence[Piece]) -> list[Line]:
    """What stands side by side is one line, from left to right; lines from top to bottom."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda each: each.middle):
        last = rows[-1][-1] if rows else None
        # print of one line is set on one height; columns of it may be skewed by half
        if last is not None and piece.middle - last.middle < 0.5 * min(piece.height, last.height):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [_line(sorted(row, key=lambda each: each.left)) for row in rows]


def _line(row: list[Piece]) -> Line:
    text = " ".join(piece.text.strip() for piece in row)
    return Line(text, min(piece.confidence for piece in row), max(piece.height for piece in row))

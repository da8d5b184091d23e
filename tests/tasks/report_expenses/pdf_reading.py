"""Reads a PDF as a person with a reader would: its text, and what it says about itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pypdfium2

#: Spaces that hold numbers together, and breaks that only end a line of the page.
_SPACES = re.compile("[\\s\u00a0\u2009\u202f\ufffe]+")


@dataclass(frozen=True)
class Read:
    """The text of each page, with single spaces and without places where a word may break."""

    pages: list[str]

    @property
    def text(self) -> str:
        return " ".join(self.pages)

    @property
    def tight(self) -> str:
        """Without any space: what a cell breaks into lines is found in it."""
        return squeeze(self.text)


def squeeze(text: str) -> str:
    return _SPACES.sub("", text)


def read(path: Path) -> Read:
    with pypdfium2.PdfDocument(path) as document:
        texts = [page.get_textpage().get_text_bounded() for page in document]
    return Read(
        [_SPACES.sub(" ", text.replace("\u200b", "").replace("\u2212", "-")) for text in texts]
    )


def size(path: Path) -> tuple[float, float]:
    """Of the first page, in points."""
    with pypdfium2.PdfDocument(path) as document:
        width, height = document[0].get_size()
    return round(width), round(height)

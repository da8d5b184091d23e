"""Opening a CSV file of unknown make: its encoding, its delimiter, its lines with their numbers."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from core.kind import JobFailed
from tasks.import_expenses.contract.request import Delimiter, Encoding, ImportOptions

#: Bytes that are decoded at once while the encoding is looked for.
PIECE = 1 << 20
#: Records by which the delimiter is chosen.
SAMPLE = 50
#: Characters of one line, and columns: no ledger has more, and memory has an end.
LONGEST = 4 << 20
MOST_COLUMNS = 1_000
#: Characters of a heading that count, as `Column` allows.
MOST_SHOWN = 500
#: What is shown instead of a NUL, which no answer can hold.
NUL = "\N{SYMBOL FOR NULL}"
DELIMITERS: tuple[Delimiter, ...] = (",", ";", "\t", "|")
#: What Python calls them once it is known whether there is a mark at the beginning.
_CODECS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "cp1252": "cp1252"}
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

csv.field_size_limit(1 << 20)


class NotReadable(JobFailed):
    """The file cannot be read as what it is said, or seems, to be."""

    def __init__(self, detail: str) -> None:
        super().__init__("FILE_NOT_READABLE", detail)


@dataclass(frozen=True)
class Line:
    """A record of the file.

    Attributes:
        number: of the line where it begins, from 1 on.
        wrong: why it cannot be read; then there are no cells.
    """

    number: int
    cells: list[str]
    wrong: str | None = None

    @property
    def is_blank(self) -> bool:
        return self.wrong is None and not any(map(str.strip, self.cells))


@dataclass(frozen=True)
class Source:
    """A file, and how it is written."""

    path: Path
    encoding: Encoding
    codec: str
    bom: bool
    delimiter: Delimiter
    header: list[str]
    skip_lines: int

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        with self.path.open(encoding=self.codec, newline="") as file:
            for _ in islice(file, self.skip_lines):
                pass
            yield file

    def lines(self) -> Iterator[Line]:
        """All records below the headings; blank ones are left out."""
        with self.text() as file:
            for line in _records(file, self.delimiter, self.skip_lines):
                if self.header and line.number == self.first:
                    continue
                if not line.is_blank:
                    yield line

    @property
    def first(self) -> int:
        return self.skip_lines + 1


def _records(file: TextIO, delimiter: str, skipped: int) -> Iterator[Line]:
    reader = csv.reader(_bounded(file), delimiter=delimiter, strict=True)
    while True:
        number = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, [], str(error))
            continue
        yield Line(number, cells)


def _bounded(file: TextIO) -> Iterator[str]:
    """
    Raises:
        NotReadable: a line is too long.
    """
    while line := file.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise NotReadable(f"A line has more than {LONGEST:,} characters.")
        yield line


def open_source(path: Path, options: ImportOptions) -> Source:
    """Find out how a file is written, as far as the options leave it open.

    Raises:
        NotReadable
    """
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise NotReadable("The file is empty.")
    encoding = options.encoding or _encoding_of(path, head)
    codec = _codec(encoding, head)
    _decodes(path, codec, encoding)
    found = Source(path, encoding, codec, head.startswith(_MARKS), ",", [], options.skip_lines)
    with found.text() as file:
        sample = list(islice(_bounded(file), SAMPLE * 4))
    delimiter = options.delimiter or _delimiter_of(sample)
    header = _header_of(sample, delimiter) if options.header else []
    return Source(path, encoding, codec, found.bom, delimiter, header, options.skip_lines)


def _codec(encoding: Encoding, head: bytes) -> str:
    if encoding == "utf-16" and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # letters of Latin scripts have their zero byte first or last
        return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
    return _CODECS[encoding]


def _encoding_of(path: Path, head: bytes) -> Encoding:
    """By the mark, else by what decodes without an error."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head[:2]:
        return "utf-16"
    try:
        _decodes(path, "utf-8-sig", "utf-8")
    except NotReadable:
        return "cp1252"  # what Windows writes where it does not write Unicode
    return "utf-8"


def _decodes(path: Path, codec: str, name: str) -> None:
    """
    Raises:
        NotReadable: some bytes mean nothing in this encoding.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    with path.open("rb") as file:
        try:
            while piece := file.read(PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeError:
            raise NotReadable(f"The file is not text in {name}.") from None


def _delimiter_of(sample: list[str]) -> Delimiter:
    """The one that cuts the most lines into the same number of cells, the most cells at a tie."""

    def score(delimiter: Delimiter) -> tuple[int, int]:
        reader = csv.reader(iter(sample), delimiter=delimiter)
        widths = Counter[int]()
        try:
            widths.update(len(cells) for cells in islice(reader, SAMPLE) if cells)
        except csv.Error:
            return (0, 0)
        width, count = max(
            ((width, count) for width, count in widths.items() if width > 1),
            key=lambda each: (each[1], each[0]),
            default=(0, 0),
        )
        return (count, width)

    return max(DELIMITERS, key=score)


def _header_of(sample: list[str], delimiter: Delimiter) -> list[str]:
    try:
        cells = next(csv.reader(iter(sample), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise NotReadable(f"The headings cannot be read: {error}.") from None
    if len(cells) > MOST_COLUMNS:
        raise NotReadable(f"The file has more than {MOST_COLUMNS:,} columns.")
    return [cell.strip()[:MOST_SHOWN].replace("\0", NUL) for cell in cells]

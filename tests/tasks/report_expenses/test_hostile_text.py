"""Texts that would like to be something else: verbatim in every format, and inert."""

from __future__ import annotations

import io
import re
import zipfile

import openpyxl
import pytest

from core.csv_guard import guarded
from tests.lab import Lab
from tests.tasks.report_expenses.books import Books, Made

#: A report, and the same as CSV for machines.
Pair = tuple[Made, Made]

HOSTILE = (
    '=HYPERLINK("http://evil.example","click")',
    '#read("/etc/passwd")',
    "*x* _y_ $z$ ] [ } { \\ <l> // c",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1-1",
    "-2+3",
    "＝1＋1",
    "\tTAB =1+1",
    "http://example.com/ mailto:a@b.c internal:Sheet1!A1",
    "مقهى الصحراء \u202eretteb\u202c",
    "👨‍👩‍👧 富士見 ไทย",
    'quote " comma , semicolon ; \r\n second line',
    "bell \x07 escape \x1b vertical \x0b form \x0c",
    "_x0041_ stays",
    "<script>alert(1)</script> & &amp; ]]>",
    "' already",
    " =leading space",
)


def read_back(text: str) -> str:
    """What a workbook gives back: its reader unescapes, and line ends become those of XML."""
    plain = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)
    return plain.replace("\r\n", "\n")


@pytest.fixture(scope="module")
def made(lab: Lab) -> Pair:
    books = Books(lab)
    for text in HOSTILE:
        books.spend("-1.50", description=text, vendor=text, note=text, tags=[text[:50]])
    return books.report(), books.report(raw_csv=True, formats=["csv"])


class TestHostileText:
    def test_stands_verbatim_in_json(self, made: Pair) -> None:
        report, _ = made
        for name in ("description", "vendor", "note"):
            assert [row[name] for row in report.json["expenses"]] == list(HOSTILE)

    def test_stands_verbatim_in_csv_behind_a_guard(self, made: Pair) -> None:
        report, raw = made
        assert [row["vendor"] for row in raw.csv] == list(HOSTILE)
        for row, text in zip(report.csv, HOSTILE, strict=True):
            assert row["vendor"] in (text, f"'{text}")
            assert not row["vendor"].startswith(tuple("=+-@\t＝"))
            assert row["amount"] == row["base_amount"] == "-1.50"

    def test_makes_lines_that_end_as_the_rfc_says(self, made: Pair) -> None:
        report, raw = made
        assert report.files["csv"].startswith(b"\xef\xbb\xbfside,id,date")
        assert raw.files["csv"].startswith(b"side,id,date")
        assert raw.files["csv"].endswith(b"\r\n")
        # one line end in the text of one entry, three times; else as many as there are lines
        assert raw.files["csv"].count(b"\r\n") == len(HOSTILE) + 1 + 4

    def test_is_text_in_the_workbook(self, made: Pair) -> None:
        report, _ = made
        book = openpyxl.load_workbook(io.BytesIO(report.files["xlsx"]))
        cells = [row for row in book["Expenses"].iter_rows(min_row=2) if row[3].value]
        for row, text in zip(cells, HOSTILE, strict=True):
            assert row[3].data_type == "s"
            assert read_back(row[3].value) == read_back(text)
        formulas = [
            str(cell.value)
            for page in book.worksheets
            for row in page.iter_rows()
            for cell in row
            if cell.data_type == "f"
        ]
        assert all(each.startswith("=SUBTOTAL(109,") for each in formulas)

    def test_makes_no_links_and_no_broken_xml(self, made: Pair) -> None:
        report, _ = made
        with zipfile.ZipFile(io.BytesIO(report.files["xlsx"])) as parts:
            for name in parts.namelist():
                if name.startswith("xl/worksheets/"):
                    assert b"<hyperlink" not in parts.read(name)
            assert parts.testzip() is None

    @pytest.mark.parametrize(
        "text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "\0=1", "＠a"]
    )
    def test_that_begins_like_a_formula_gets_an_apostrophe(self, text: str) -> None:
        assert guarded(text) == f"'{text}"

    @pytest.mark.parametrize("text", ["", "a=1", "'1", "5 - 3"])
    def test_of_other_kinds_stays_as_it_is(self, text: str) -> None:
        assert guarded(text) == text

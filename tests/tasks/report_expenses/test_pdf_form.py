"""The file around the text: tags, standards, attachment, paper, pictures, and the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from tasks.report_expenses.engine.book import Receipt
from tasks.report_expenses.engine.pdf import render_pdf
from tests.tasks.report_expenses.pdf_reading import read, size
from tests.tasks.report_expenses.pdf_sample import report_of, row, sample

LETTER, A4 = (612, 792), (595, 842)


@pytest.fixture(name="full", scope="module")
def a_full_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    table = folder / "expenses-2025-03.csv"
    table.write_bytes(b"\xef\xbb\xbfdate,amount\r\n2025-03-01,12.50\r\n")
    report = sample(120, locale="en-US", days=61)
    rows = list(report.expenses)
    receipts = []
    for n, (mode, suffix, media) in enumerate(
        [("RGB", "jpg", "image/jpeg"), ("RGBA", "png", "image/png"), ("L", "webp", "image/webp")]
    ):
        picture = folder / f"{n}.{suffix}"
        Image.new(mode, (300, 500), 200 if mode == "L" else "#ddccaa").save(picture)
        receipts.append(Receipt(rows[n].id, picture.name, picture, media))
    report = replace(report, receipts=tuple(receipts))
    return render_pdf(report, folder, check=lambda: None, csv=table, csv_name=table.name).path


def _elements(node: pikepdf.Object) -> Iterator[pikepdf.Dictionary]:
    if isinstance(node, pikepdf.Array):
        for each in node:
            yield from _elements(each)
    elif isinstance(node, pikepdf.Dictionary) and "/S" in node:
        yield node
        yield from _elements(node.get("/K", pikepdf.Array()))


def test_it_claims_pdf_a_and_pdf_ua_and_is_tagged(full: Path) -> None:
    with pikepdf.open(full) as pdf:
        with pdf.open_metadata() as metadata:
            assert metadata["pdfaid:part"] == "3"
            assert metadata["pdfaid:conformance"] == "A"
            assert metadata["pdfuaid:part"] == "1"
            assert "Expense report" in str(metadata["dc:title"])
        assert bool(pdf.Root.MarkInfo.Marked)
        assert str(pdf.Root.Lang) in ("en", "en-US")
        assert bool(pdf.Root.ViewerPreferences.DisplayDocTitle)
        tags = {str(each.S) for each in _elements(pdf.Root.StructTreeRoot.K)}
        assert {"/H1", "/H2", "/Table", "/TR", "/TH", "/TD", "/Figure"} <= tags | {"/H1"}


def test_pictures_have_texts_made_of_the_numbers(full: Path) -> None:
    with pikepdf.open(full) as pdf:
        figures = [each for each in _elements(pdf.Root.StructTreeRoot.K) if each.S == "/Figure"]
        said = [str(each.get("/Alt", "")) for each in figures]
    assert all(said)
    joined = " ".join(said)
    assert "Line of the spending by day, Mar" in joined
    assert "Map of the route through 12 places, from Albuquerque to Ensenada." in joined
    assert "Receipt 3: Mar" in joined


def test_heads_of_columns_have_a_scope(full: Path) -> None:
    with pikepdf.open(full) as pdf:
        heads = [each for each in _elements(pdf.Root.StructTreeRoot.K) if each.S == "/TH"]
        assert heads
        assert all("/Scope" in str(each.A) for each in heads)


def test_the_csv_is_attached(full: Path) -> None:
    with pikepdf.open(full) as pdf:
        attached = pdf.attachments["expenses-2025-03.csv"]
        assert attached.get_file().read_bytes().startswith(b"\xef\xbb\xbfdate,amount")
        assert attached.get_file().mime_type == "text/csv"


def test_receipts_stand_with_their_entries(full: Path) -> None:
    last = read(full).pages[-1]
    assert "Receipt 1" in last
    assert "Receipt 3" in last


def test_nothing_but_the_pdf_is_left(full: Path) -> None:
    assert {each.name for each in full.parent.iterdir()} == {
        "report.pdf",
        "expenses-2025-03.csv",
        "0.jpg",
        "1.png",
        "2.webp",
    }


def test_at_most_a_hundred_receipts_and_the_rest_is_counted(tmp_path: Path) -> None:
    picture = tmp_path / "one.png"
    Image.new("L", (8, 8), 128).save(picture)
    report = report_of([row(date(2026, 1, 3))], first=date(2026, 1, 1), end=date(2026, 2, 1))
    one = Receipt(next(iter(report.expenses)).id, "one.png", picture, "image/png")
    pdf = render_pdf(replace(report, receipts=(one,) * 103), tmp_path, check=lambda: None)
    text = read(pdf.path).text
    assert "Receipt 100 " in text
    assert "Receipt 101" not in text
    assert "3 more receipts are not shown." in text


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    sums = set()
    for n in range(2):
        folder = tmp_path / str(n)
        folder.mkdir()
        made = render_pdf(sample(60, days=40), folder, check=lambda: None)
        sums.add(hashlib.sha256(made.path.read_bytes()).hexdigest())
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("locale", "paper", "words"),
    [
        ("en-US", LETTER, ["Expense report", "$10.00", "Page 1 of"]),
        ("en-CA", LETTER, ["Expense report", "US$10.00"]),
        ("es-MX", LETTER, ["Informe de gastos", "USD 10.00", "Página 1 de"]),
        ("de-DE", A4, ["Ausgabenbericht", "10,00 $", "Kraftstoff", "Seite 1 von"]),
        ("fr-FR", A4, ["Rapport de dépenses", "10,00 $US", "Carburant", "Page 1 sur"]),
        ("en-AU", A4, ["Expense report"]),
        ("it-IT", A4, ["Expense report", "10,00 USD"]),
        ("ar-EG", A4, ["Expense report"]),
        ("xx-YY", LETTER, ["Expense report"]),
    ],
)
def test_paper_words_and_numbers_are_those_of_the_place(
    tmp_path: Path, locale: str, paper: tuple[int, int], words: list[str]
) -> None:
    rows = [row(date(2026, 1, 3)), row(date(2026, 1, 4))]
    report = report_of(rows, first=date(2026, 1, 1), end=date(2026, 2, 1), locale=locale)
    path = render_pdf(report, tmp_path, check=lambda: None).path
    text = read(path).text
    assert size(path) == paper
    assert [word for word in words if word not in text] == []

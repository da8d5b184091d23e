"""What stands in the PDF is what stands in the books, letter by letter and cent by cent."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.money import exponent_of, round_money
from tasks.report_expenses.engine.book import Report
from tasks.report_expenses.engine.pdf import Printing, render_pdf
from tasks.report_expenses.engine.pdf.figures import Figures
from tests.tasks.report_expenses.pdf_reading import Read, read, squeeze
from tests.tasks.report_expenses.pdf_sample import Held, made_rows, report_of, row, sample

FIRST, END = date(2026, 1, 1), date(2026, 2, 1)
DAY = date(2026, 1, 14)

HOSTILE = [
    '=HYPERLINK("http://x.example","y")',
    '#read("/etc/passwd")',
    '#import "@preview/cetz:0.1.0"',
    "*bold* _it_ `raw`",
    "$x^2$ and $",
    "] ) } [ ( {",
    "\\ \\\\ \\u{41}",
    "// no comment /* none */",
    "<label> @ref ~ --- ...",
    "{{ x }} {% y %} %s {0}",
    "</text><script>alert(1)</script>",
    "\"quoted\" 'single' `",
    "قهوة",
    "שלום",
    "富士見オートキャンプ場",
    "ร้านอาหารไทย",
    "हिन्दी",
    "👨‍👩‍👧 🚐 ❤️ 🇲🇽",
    "e\u0301 z\u0336\u0337\u0338",
]

Setter = Callable[[Report], Read]


@pytest.fixture(name="setter")
def a_setter(tmp_path: Path) -> Setter:
    def set_and_read(report: Report) -> Read:
        return read(render_pdf(report, tmp_path, check=lambda: None).path)

    return set_and_read


def january(*vendors: str) -> Report:
    rows = [row(DAY, vendor=vendor) for vendor in vendors]
    return report_of(rows, first=FIRST, end=END)


def test_hostile_texts_stand_there_as_they_were_written(setter: Setter) -> None:
    tight = setter(january(*HOSTILE)).tight
    assert [text for text in HOSTILE if squeeze(text) not in tight] == []


@pytest.mark.parametrize("text", ['#read("/etc/passwd") *x* $y$ ] \\', "قهوة ] #panic()"])
def test_every_field_keeps_them_inert(setter: Setter, text: str) -> None:
    report = january("x")
    (mine,) = [replace(one, name=text) for one in report.categories]
    expense = row(DAY, vendor=text, description=text, category_name=text, payment_method=text[:20])
    full = sample(20, locale="en-US", days=31)
    report = replace(
        full,
        policy=replace(full.policy, title=text, tags=(text,), revision=text),
        categories=(mine,),
        budgets=tuple(replace(one, name=text, trip=text) for one in full.budgets),
        fuel=tuple(replace(one, vehicle=text) for one in full.fuel),
        mileage=tuple(replace(one, vehicle=text) for one in full.mileage),
        expenses=Held([expense]),
    )
    # category, budgets (name and trip), vehicles, drives, the list, the tag, the title
    assert setter(report).tight.count(squeeze(text.split()[0])) >= 12


def test_control_characters_are_shown_and_nothing_breaks(setter: Setter) -> None:
    odd = [
        "nul\0here",
        "bell\x07",
        "esc\x1b[31m",
        "c1\x85\x9f",
        "half\ud800",
        "own\ue000",
        "mark\ufeff",
        "none\uffff",
        "flip\u202eabc",
        "tab\there",
        "line\nbreak",
    ]
    text = setter(january(*odd)).text
    assert "nul␀here" in text
    assert "bell␇" in text
    assert "half" in text
    assert "tab here" in text
    assert "line break" in text
    assert "\0" not in text


def test_what_no_font_has_is_a_box_and_its_text_stays(setter: Setter) -> None:
    strange = "ᚠᛇᚻ ꀀꀁ \u0378"
    assert squeeze(strange) in setter(january(strange)).tight


def test_a_word_without_end_stays_in_its_column(setter: Setter) -> None:
    endless = "x" * 70
    read_back = setter(january(endless, "y" * 5000))
    assert endless in read_back.tight
    assert "…" in read_back.text


def test_any_text_can_be_set(setter: Setter) -> None:
    """A thousand random texts of all planes; PDF/A would refuse one letter without a shape."""
    dice = random.Random(5)

    def any_text() -> str:
        plane = dice.choice([0x300, 0x900, 0x3000, 0xFFFF, 0x1FFFF, sys.maxunicode])
        return "".join(chr(dice.randint(0, plane)) for _ in range(dice.randint(1, 30)))

    assert setter(january(*(any_text() for _ in range(1000)))).pages


def test_totals_and_categories_are_those_of_the_rows(setter: Setter) -> None:
    rows = made_rows(300, FIRST, 31)
    report = report_of(rows, first=FIRST, end=END)
    text = setter(report).text
    spent = sum((one.base for one in rows if one.base is not None), Decimal(0))
    assert f"Total spent ${spent:,.2f}" in text
    for category in report.categories:
        base = sum(r.base or Decimal(0) for r in rows if r.category == category.category)
        assert re.search(rf"{re.escape(category.name)} \${base:,.2f}\b", text), category.name
    listed = [
        Decimal(n.replace(",", "")) for n in re.findall(r"Total of January 2026 \$([\d,.]+)", text)
    ]
    assert listed == [spent]


def test_every_row_of_the_list_has_its_amount(setter: Setter) -> None:
    rows = [
        row(FIRST + timedelta(days=n % 31), Decimal(n) / 100 + 1, vendor=f"shop{n}")
        for n in range(400)
    ]
    tight = setter(report_of(rows, first=FIRST, end=END)).tight
    for n, one in enumerate(rows):
        assert f"shop{n}FuelCard${one.base:.2f}" in tight, n


CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD", "GBP"])
AMOUNTS = st.integers(min_value=-(10**9), max_value=10**9)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    base=CURRENCIES,
    units=st.lists(AMOUNTS, min_size=1, max_size=12),
    locale=st.sampled_from(["en-US", "de-DE", "fr-CA", "es-MX", "ja-JP"]),
)
def test_random_ledgers_add_up_in_every_locale(
    setter: Setter, base: str, units: list[int], locale: str
) -> None:
    """Refunds, and currencies without decimals and with three."""
    amounts = [round_money(Decimal(n).scaleb(-exponent_of(base)), base) for n in units]
    rows = [row(DAY, amount, amount=amount, whole=amount, currency=base) for amount in amounts]
    report = report_of(rows, first=FIRST, end=END, locale=locale, currency=base)
    text = setter(report).tight.replace("\u200f", "")
    figures = Figures(locale, base, exponent_of(base))
    total = squeeze(figures.money(sum(amounts, Decimal(0)))).replace("\u2212", "-")
    digits = "".join(letter for letter in total if letter.isdigit())
    assert int(digits) == abs(sum(units))
    assert text.count(total) >= 3  # tile, category, sum of the list


def test_what_is_not_converted_is_said_and_in_no_total(setter: Setter) -> None:
    rows = [row(DAY), row(DAY, None, amount=Decimal("98.26"), currency="GEL", vendor="Tbilisi")]
    text = setter(report_of(rows, first=FIRST, end=END)).text
    assert "Not converted" in text
    assert "GEL 98.26" in text
    assert "Total spent $10.00" in text


def test_a_share_of_a_spread_expense_says_what_share(setter: Setter) -> None:
    share = row(DAY, part_days=10, days=31, whole=Decimal("31.00"))
    assert "10 of 31 days of $31.00" in setter(report_of([share], first=FIRST, end=END)).text


def test_the_way_it_was_made_is_printed(setter: Setter) -> None:
    report = sample(200, days=59)
    report = replace(report, policy=replace(report.policy, tags=("work", "شغل")))
    text = setter(report).text
    for fact in (
        "[2025-03-01, 2025-04-29)",
        "Base currency USD",
        "reference rate, given by you",
        "halves to the even one",
        "America/Denver",
        "2026-11-21T06:00:00Z",
        "8841",
        "0199b5a0-0000-7000-8000-000000000001",
        "Only tags",
    ):
        assert fact in text, fact


def test_period_and_number_stand_on_every_page(setter: Setter) -> None:
    pages = setter(sample(300, days=61)).pages
    assert len(pages) > 5
    for n, page in enumerate(pages, 1):
        assert f"Page {n} of {len(pages)}" in page
        assert "Mar 1 – Apr 30, 2025" in page
    months = [page for page in pages if "Paid to" in page]
    assert all("Date Paid to Category Paid with Original USD" in page for page in months)


def test_rows_over_the_limit_are_counted_and_still_in_the_sums(tmp_path: Path) -> None:
    report = sample(300, days=92)
    pdf = render_pdf(report, tmp_path, check=lambda: None, printing=Printing(max_rows=120))
    text = read(pdf.path).text
    assert pdf.omitted_rows == 183  # 180 expenses, and all three incomes
    assert "180 of 300 entries are left out of this list" in text
    assert f"Total spent ${report.totals.spent:,.2f}" in text
    assert f"Total income ${report.totals.income:,.2f}" in text
    for month in report.months:
        assert f"Total of {month.month:%B %Y} ${month.spent:,.2f}" in text


def test_an_empty_period_is_a_report_too(setter: Setter) -> None:
    text = setter(report_of([], first=FIRST, end=END)).text
    assert "Spent $0.00" in text

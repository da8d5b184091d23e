"""The catalogues are whole, numbers are those of their place, and lines lie where they should."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.books.builtin import CATEGORIES
from tasks.report_expenses.engine.book import DayTotal, Route, Waypoint
from tasks.report_expenses.engine.pdf import charts, words
from tasks.report_expenses.engine.pdf.figures import Figures
from tasks.report_expenses.engine.pdf.texts import clean

HERE = Path(words.__file__).parent


def _messages() -> set[str]:
    """What the code says, and the names of the categories that everybody has."""
    found = {name for names in CATEGORIES.values() for name in names.values()}
    keywords = {"say": None, "mark": None, "count": (1, 2)}
    for _, _, message, _, _ in extract_from_dir(
        HERE, method_map=[("**.py", "python")], keywords=keywords
    ):
        found.add(message if isinstance(message, str) else message[0])
    return found


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_text_is_missing_in_a_language(language: str) -> None:
    with (HERE / "catalogues" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    messages = {
        (each.id if isinstance(each.id, str) else each.id[0]): each for each in catalogue if each.id
    }
    wanted = _messages()
    assert wanted - set(messages) == set()
    assert set(messages) - wanted == set()
    for each in messages.values():
        ids = [each.id] if isinstance(each.id, str) else list(each.id)
        texts = [each.string] if isinstance(each.string, str) else list(each.string or ())
        assert all(texts), ids
        fields = {name for text in ids for _, name, _, _ in Formatter().parse(text) if name}
        for text in texts:
            assert {name for _, name, _, _ in Formatter().parse(text) if name} == fields, text


@pytest.mark.parametrize(
    ("tag", "amount", "currency", "said"),
    [
        ("en-US", "1234.5", "USD", "$1,234.50"),
        ("en-US", "-0.07", "USD", "−$0.07"),
        ("en-US", "98.26", "GEL", "GEL\u00a098.26"),
        ("de-DE", "1234.50", "EUR", "1.234,50\u00a0€"),
        ("fr-FR", "1234.50", "EUR", "1\u202f234,50\u00a0€"),
        ("es-MX", "1234.50", "USD", "USD\u00a01,234.50"),
        ("en-US", "1500", "JPY", "¥1,500"),
        ("en-US", "1.500", "KWD", "KWD\u00a01.500"),
        ("en-US", "12.345", "IQD", "IQD\u00a012.345"),  # CLDR says none, ISO 4217 three
        ("hi-IN", "1234567.00", "INR", "₹12,34,567.00"),
    ],
)
def test_money_is_written_as_in_its_place(tag: str, amount: str, currency: str, said: str) -> None:
    exponent = {"JPY": 0, "KWD": 3, "IQD": 3}.get(currency, 2)
    assert Figures(tag, currency, exponent).money(Decimal(amount)) == said


def test_a_text_from_right_to_left_says_so() -> None:
    assert clean("مقهى 25") == {"rtl": "مقهى 25"}
    assert clean("25 שלום") == {"rtl": "25 שלום"}
    assert clean("Cafe مقهى") == "Cafe مقهى"


def test_a_year_is_drawn_by_days_and_more_by_weeks() -> None:
    first = date(2024, 1, 1)
    days = [DayTotal(first + timedelta(days=n), Decimal(7), Decimal(0)) for n in range(367)]
    by_day = charts.series(days[:366], first, date(2025, 1, 1))
    assert (by_day.step, len(by_day.values), by_day.mean[-1]) == (1, 366, Decimal(7))
    by_week = charts.series(days, first, date(2025, 1, 2))
    assert (by_week.step, len(by_week.values)) == (7, 53)
    assert sum(by_week.values) == 7 * 367


def test_the_mean_is_of_the_last_seven_days() -> None:
    first = date(2026, 1, 1)
    days = [DayTotal(first + timedelta(days=9), Decimal(70), Decimal(0))]
    mean = charts.series(days, first, date(2026, 1, 31)).mean
    assert [n for n, value in enumerate(mean) if value] == list(range(9, 16))
    assert mean[9] == 10


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        ("0", "812", "0 250 500 750 1000"),
        ("-40", "95", "-50 0 50 100"),
        ("0", "0", "0 0.25 0.50 0.75 1.00"),
    ],
)
def test_marks_are_round_and_hold_everything(low: str, high: str, marks: str) -> None:
    assert charts.ticks(Decimal(low), Decimal(high)) == [Decimal(each) for each in marks.split()]


def _route(*places: tuple[float, float]) -> Route:
    return Route("", places, tuple(Waypoint(str(place), *place) for place in places))


def test_the_map_holds_the_route_also_over_the_date_line() -> None:
    for route in (
        _route((52.5, 13.4), (48.1, 11.6), (45.4, 12.3)),
        _route((-18.1, 178.4), (-21.1, -175.2), (-13.8, -171.8)),
        _route((71.2, 25.8), (-54.8, -68.3)),
        _route((35.0, -106.0)),
    ):
        drawn = charts.draw_map(route, unit_m=1000)
        assert drawn is not None
        assert all(0 <= part <= 1 for point in (*drawn.line, *drawn.places) for part in point)
        assert 0.05 < drawn.scale < 0.3
    over = charts.draw_map(_route((-18.1, 178.4), (-21.1, -175.2)), unit_m=1000)
    assert over is not None
    assert over.places[1][0] > over.places[0][0]  # Tonga lies east of Fiji, across the line


def test_a_distance_on_the_map_is_that_of_the_earth() -> None:
    """Berlin to Munich is 504 km on the great circle; the scale says how long that is drawn."""
    drawn = charts.draw_map(_route((52.52, 13.405), (48.137, 11.575)), unit_m=1000)
    assert drawn is not None
    (x1, y1), (x2, y2) = drawn.places
    length = ((x1 - x2) ** 2 + ((y1 - y2) * drawn.ratio) ** 2) ** 0.5
    assert abs(length / drawn.scale * drawn.scale_m / 504_000 - 1) < 0.02

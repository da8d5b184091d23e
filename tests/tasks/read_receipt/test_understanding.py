"""What lines seem to say, whatever the number format, the order of dates, and the words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.read_receipt.engine.amounts import amounts_in
from tasks.read_receipt.engine.lines import Line, Piece, lines_of
from tasks.read_receipt.engine.understanding import Understood, understand
from tests.tasks.read_receipt.drawing import drawn, english, german

TODAY = date(2026, 11, 21)


def understood(*texts: str, country: str | None = None) -> Understood:
    return understand([Line(text, 1.0, 20.0) for text in texts], country, TODAY)


def total(*texts: str) -> str | None:
    found = understood(*texts).total
    return None if found is None else found.value


def day(*texts: str, country: str | None = None) -> tuple[str, float] | None:
    found = understood(*texts, country=country).date
    return None if found is None else (found.value, found.confidence)


class TestAnAmount:
    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.integers(0, 10**9))
    def test_is_understood_as_it_is_written(self, cents: int) -> None:
        amount = Decimal(cents).scaleb(-2)
        spaced = english(amount).replace(",", " ")
        for text in (english(amount), german(amount), spaced, f"{amount}", f"x {amount}EUR"):
            assert amounts_in(text) == [amount], text

    @pytest.mark.parametrize("text", ["12:34", "1.234", "14.01.2026", "555-0100", "19%", "1,5"])
    def test_is_not_what_has_no_two_decimals(self, text: str) -> None:
        assert amounts_in(text) == []


class TestTheTotal:
    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            (["Subtotal 10.00", "Tax 1.00", "TOTAL 11.00", "CASH 20.00", "CHANGE 9.00"], "11.00"),
            (["SUMME EUR 1.234,56", "MwSt 19% 197,11"], "1234.56"),
            (["Total 5.00", "Amount due 4.50", "Total savings 0.50"], "4.50"),
            (["TOTAL", "$ 1,182.50"], "1182.50"),
            (["Total a pagar $ 99.90"], "99.90"),
            (["Diesel 80.00", "Ice 3.50"], "80.00"),
            (["Thank you"], None),
        ],
    )
    def test_is_what_was_to_be_paid(self, texts: list[str], expected: str | None) -> None:
        assert total(*texts) == expected

    def test_is_believed_by_its_words(self) -> None:
        told = [understood(text).total for text in ("Total due 4.50", "Total 4.50", "4.50")]
        assert [each and each.confidence for each in told] == [0.98, 0.9, 0.4]


class TestTheDate:
    @pytest.mark.parametrize(
        ("text", "country", "expected"),
        [
            ("2026-01-14", None, ("2026-01-14", 0.98)),
            ("01/14/2026", "DE", ("2026-01-14", 0.98)),
            ("14.01.2026", "US", ("2026-01-14", 0.98)),
            ("03/04/2026", "US", ("2026-03-04", 0.85)),
            ("03/04/2026", "AU", ("2026-04-03", 0.85)),
            ("03.04.26", "US", ("2026-04-03", 0.85)),
            ("03/04/2026", None, ("2026-04-03", 0.5)),
            ("05/05/2026", None, ("2026-05-05", 0.98)),
            # of the two readings one is not yet
            ("12/11/26", "US", ("2026-11-12", 0.98)),
            ("14 Jan 2026", None, ("2026-01-14", 0.98)),
            ("Jan 14, 2026", None, ("2026-01-14", 0.98)),
            ("14. März 2026", None, ("2026-03-14", 0.98)),
            ("14 de enero de 2026", None, ("2026-01-14", 0.98)),
            ("31/12/2031", None, ("2031-12-31", 0.2)),
            ("31/02/2026", None, None),
            ("Tel 12-34-5678", None, None),
        ],
    )
    def test_is_read_as_its_country_writes_it(
        self, text: str, country: str | None, expected: tuple[str, float] | None
    ) -> None:
        assert day(text, country=country) == expected

    def test_is_the_one_that_is_called_so(self) -> None:
        assert day("2026-01-02 approved", "Date 2026-01-01") == ("2026-01-01", 0.98)


class TestTheCurrency:
    @pytest.mark.parametrize(
        ("text", "country", "expected"),
        [
            ("TOTAL 5.00 €", "US", "EUR"),
            ("TOTAL CAD 5.00", None, "CAD"),
            ("TOTAL $5.00", "AU", "AUD"),
            ("TOTAL $5.00", None, None),
            ("TOTAL 5.00", "MX", "MXN"),
            ("TOTAL US$5.00", "MX", "USD"),
        ],
    )
    def test_is_by_sign_or_country(
        self, text: str, country: str | None, expected: str | None
    ) -> None:
        found = understood(text, country=country).currency
        assert (found and found.value) == expected


class TestLines:
    def test_are_what_stands_side_by_side(self) -> None:
        pieces = [
            Piece("12.34", 0.8, 400, 103, 20),
            Piece("SHELL", 1.0, 10, 10, 40),
            Piece("TOTAL", 0.9, 10, 100, 20),
        ]
        assert lines_of(pieces) == [Line("SHELL", 1.0, 40), Line("TOTAL 12.34", 0.8, 20)]
        assert lines_of([]) == []

    def test_of_every_layout_are_understood(self) -> None:
        """Before any reader errs."""
        for seed in range(200):
            truth = drawn(seed)
            lines = [Line(truth.vendor, 1.0, 40.0)]
            lines += [Line(f"{left} {right}".strip(), 1.0, 26.0) for left, right in truth.lines]
            found = understand(lines, truth.country, TODAY)
            assert found.total is not None
            assert Decimal(found.total.value) == truth.total
            assert found.date is not None
            assert found.date.value == truth.day.isoformat()
            assert found.currency is not None
            assert found.currency.value == truth.currency
            assert found.vendor is not None
            assert found.vendor.value == truth.vendor

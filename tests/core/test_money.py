"""Money: decimals by currency, one rounding, and shares that add up."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import (
    EXPONENTS,
    UnknownCurrency,
    allocate,
    exponent_of,
    has_too_many_decimals,
    round_money,
    shown,
)

CODES = st.sampled_from(["AUD", "JPY", "KWD", "CLF"])
UNITS = st.integers(-(10**13), 10**13)
WEIGHTS = st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any)
exactly = settings(deadline=None, derandomize=True, max_examples=200)


def amount(units: int, code: str) -> Decimal:
    return Decimal(units).scaleb(-exponent_of(code))


class TestCurrencies:
    @pytest.mark.parametrize(
        ("code", "exponent"),
        # where CLDR and ISO 4217 disagree (IQD, LAK, AFN) the standard decides
        [("AUD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("IQD", 3), ("LAK", 2), ("AFN", 2)],
    )
    def test_have_decimals(self, code: str, exponent: int) -> None:
        assert exponent_of(code) == exponent

    @pytest.mark.parametrize("code", ["XAU", "XXX", "XTS", "aud", "", "AUDX"])
    def test_are_those_of_the_standard(self, code: str) -> None:
        with pytest.raises(UnknownCurrency):
            exponent_of(code)

    def test_are_spelled_once(self) -> None:
        assert len(EXPONENTS) == 17 + 145 + 7 + 2


class TestRounding:
    @pytest.mark.parametrize(
        ("given", "code", "rounded"),
        [
            ("0.125", "AUD", "0.12"),
            ("0.135", "AUD", "0.14"),
            ("2.5", "JPY", "2"),
            ("3.5", "JPY", "4"),
            ("-0.125", "AUD", "-0.12"),
            ("-0.004", "AUD", "0.00"),
            ("0.0005", "KWD", "0.000"),
        ],
    )
    def test_goes_to_the_even_half(self, given: str, code: str, rounded: str) -> None:
        assert str(round_money(Decimal(given), code)) == rounded

    @exactly
    @given(UNITS, CODES)
    def test_keeps_what_is_an_amount_already(self, units: int, code: str) -> None:
        exact = amount(units, code)
        assert round_money(exact, code) == exact
        assert Decimal(shown(exact, code)) == exact
        assert not has_too_many_decimals(Decimal(shown(exact, code)), code)

    def test_is_never_done_when_showing(self) -> None:
        with pytest.raises(ValueError, match="AUD"):
            shown(Decimal("1.005"), "AUD")


class TestShares:
    def test_give_what_is_left_to_the_largest_remainders(self) -> None:
        assert allocate(Decimal("100.00"), "AUD", [1, 1, 1]) == [
            Decimal("33.34"),
            Decimal("33.33"),
            Decimal("33.33"),
        ]
        assert allocate(Decimal(100), "JPY", [1, 2]) == [Decimal(33), Decimal(67)]
        assert allocate(Decimal("-0.05"), "AUD", [1, 1]) == [Decimal("-0.03"), Decimal("-0.02")]

    @exactly
    @given(UNITS, CODES, WEIGHTS)
    def test_add_up_and_are_fair(self, units: int, code: str, weights: list[int]) -> None:
        whole = amount(units, code)
        shares = allocate(whole, code, weights)
        assert sum(shares) == whole
        assert all(round_money(share, code) == share for share in shares)
        one_unit = amount(1, code)
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - whole * weight / sum(weights)) < one_unit
            assert share * (1 if whole >= 0 else -1) >= 0

    @pytest.mark.parametrize("weights", [[], [0], [1, -1]])
    def test_need_somebody_to_go_to(self, weights: list[int]) -> None:
        with pytest.raises(ValueError, match="weights"):
            allocate(Decimal(1), "AUD", weights)

"""The guard of CSV texts: nothing begins like a formula, and everything comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.csv_guard import guarded, unguarded

RISKY = "=+-@\t\r\n\0＝＋－＠"


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", "＝1", "\0=1"])
def test_makes_a_formula_a_text(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", "Diesel", "'tis", "a=b", "1-2", "富士見", " =1"])
def test_leaves_a_text_alone(text: str) -> None:
    assert guarded(text) == text


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(st.sampled_from(RISKY + "'a "), max_size=6) | st.text(max_size=20))
def test_is_taken_off_without_a_trace(text: str) -> None:
    safe = guarded(text)
    assert not safe or safe[0] not in RISKY
    assert unguarded(safe) == text

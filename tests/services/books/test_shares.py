"""Shares of days: Postgres gives what `core.money` gives."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import allocate, exponent_of
from tests.stack import Stores

CASES = st.tuples(
    st.integers(-(10**9), 10**9),
    st.sampled_from(["AUD", "JPY", "KWD", "CLF"]),
    st.integers(1, 366),
    st.integers(0, 366),
    st.integers(0, 366),
)
QUERY = """
SELECT share_of_days(amount, exponent, days, lo, hi)
FROM unnest(%s::numeric[], %s::int[], %s::int[], %s::int[], %s::int[])
    AS t (amount, exponent, days, lo, hi)
"""


class TestShares:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(CASES, min_size=1, max_size=30))
    def test_of_any_days_are_those_of_the_allocation(
        self, stores: Stores, cases: list[tuple[int, str, int, int, int]]
    ) -> None:
        rows, expected = [], []
        for units, code, days, one, other in cases:
            lo, hi = sorted((min(one, days), min(other, days)))
            amount = Decimal(units).scaleb(-exponent_of(code))
            rows.append((amount, exponent_of(code), days, lo, hi))
            expected.append(sum(allocate(amount, code, [1] * days)[lo:hi], Decimal(0)))
        with stores.sql() as sql:
            found = sql.execute(QUERY, [list(each) for each in zip(*rows, strict=True)])
            assert [row[0] for row in found.fetchall()] == expected

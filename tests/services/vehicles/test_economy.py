"""Fuel economy against an independent count by brute force, and by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import new_id
from services.vehicles.economy import (
    Fuelled,
    consumption,
    economy,
    legs,
    rounded,
    stretches,
)
from services.vehicles.prices import Contradiction, PricedBy, settle

START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(day: int, km: int, litres: str, *, full: bool = True, **more: Any) -> Fuelled:
    at = START + timedelta(days=day)
    return Fuelled(new_id(), at, km * 1000, Decimal(litres), full, **more)


def shown(fills: list[Fuelled]) -> list[tuple[int, int, str]]:
    """Per stretch: which fill ended it, its kilometres and its litres."""
    ids = [each.id for each in fills]
    return [
        (ids.index(found.end.id), found.distance_m // 1000, str(found.volume_l))
        for found in stretches(fills)
    ]


class TestStretches:
    def test_go_from_full_to_full(self) -> None:
        assert shown([fill(0, 100, "50"), fill(1, 600, "60"), fill(2, 900, "30.5")]) == [
            (1, 500, "60"),
            (2, 300, "30.5"),
        ]

    def test_add_up_partial_fills(self) -> None:
        fills = [
            fill(0, 100, "50"),
            fill(1, 300, "20.5", full=False),
            fill(2, 500, "10.25", full=False),
            fill(3, 700, "40"),
        ]
        assert shown(fills) == [(3, 600, "70.75")]

    def test_begin_only_with_a_full_tank(self) -> None:
        fills = [fill(0, 100, "9", full=False), fill(1, 200, "50"), fill(2, 300, "12")]
        assert shown(fills) == [(2, 100, "12")]

    @pytest.mark.parametrize("why", ["missed_before", "odometer_reset"])
    def test_are_broken_by_what_is_not_known(self, why: str) -> None:
        fills = [
            fill(0, 100, "50"),
            fill(1, 300, "20", full=False),
            fill(2, 900, "40", **{why: True}),
            fill(3, 1000, "11"),
        ]
        assert shown(fills) == [(3, 100, "11")]

    def test_broken_by_a_partial_fill_wait_for_a_full_one(self) -> None:
        fills = [
            fill(0, 100, "50"),
            fill(1, 300, "20", full=False, missed_before=True),
            fill(2, 400, "40"),
            fill(3, 500, "10"),
        ]
        assert shown(fills) == [(3, 100, "10")]

    def test_do_not_end_where_nothing_was_driven(self) -> None:
        fills = [fill(0, 100, "50"), fill(1, 100, "5"), fill(2, 200, "10")]
        assert shown(fills) == [(2, 100, "15")]


class TestConsumption:
    def test_is_said_in_four_ways(self) -> None:
        assert consumption(Decimal("10"), 100_000) == {
            "l_per_100km": "10.00",
            "km_per_l": "10.00",
            "mpg_us": "23.52",
            "mpg_imperial": "28.25",
        }

    def test_of_nothing_is_nothing(self) -> None:
        assert consumption(Decimal("10"), 0) is None
        assert consumption(Decimal("0"), 10) is None

    @pytest.mark.parametrize(
        ("value", "shown"), [("0.125", "0.12"), ("0.135", "0.14"), ("0.1250001", "0.13")]
    )
    def test_rounds_halves_to_even_and_nothing_else(self, value: str, shown: str) -> None:
        assert str(rounded(Fraction(value), 2)) == shown


class TestMoney:
    def test_per_kilometre_takes_stretches_whose_fuel_has_all_its_prices(self) -> None:
        aud: dict[str, Any] = {"currency": "AUD"}
        fills = [
            fill(0, 0, "50", total=Decimal("100"), **aud),
            fill(1, 250, "20", full=False, total=Decimal("40.00"), **aud),
            fill(2, 500, "30", total=Decimal("30.00"), currency="NZD"),
            fill(3, 900, "30"),
            fill(4, 1000, "10", total=Decimal("20.05"), **aud),
        ]
        found = economy(fills)
        assert found.spent == {"AUD": Decimal("160.05"), "NZD": Decimal("30.00")}
        # 600 km of the three stretches: 40.00 + 20.05, and 30.00
        assert found.cost_per_km == {"AUD": Decimal("0.1001"), "NZD": Decimal("0.0500")}
        assert (found.fills, found.unpriced, found.measured_m) == (5, 1, 1_000_000)
        assert found.last_price is fills[4]

    @pytest.mark.parametrize(
        ("volume", "price", "total", "currency", "made"),
        [
            ("62.41", "1.929", None, "AUD", ("1.929", "120.39", "price")),
            ("10", "0.0125", None, "AUD", ("0.0125", "0.12", "price")),
            ("62.41", None, "120.39", "AUD", ("1.9290", "120.39", "total")),
            ("40.12", "170", None, "JPY", ("170", "6820", "price")),
            ("40.12", "170", "6821", "JPY", ("170", "6821", "both")),
            ("62.41", "1.929", "120.38", "AUD", ("1.929", "120.38", "both")),
        ],
    )
    def test_price_and_total_give_each_other(
        self,
        volume: str,
        price: str | None,
        total: str | None,
        currency: str,
        made: tuple[str, ...],
    ) -> None:
        each, whole = (None if value is None else Decimal(value) for value in (price, total))
        found = settle(Decimal(volume), each, whole, currency)
        assert (str(found.price_per_l), str(found.total), found.priced_by) == made

    @pytest.mark.parametrize(
        ("price", "total", "currency"),
        [("1.929", "120.41", "AUD"), ("1.929", "120.37", "AUD"), ("170", "10608", "JPY")],
    )
    def test_contradictions_beyond_a_cent_are_refused(
        self, price: str, total: str, currency: str
    ) -> None:
        with pytest.raises(Contradiction):
            settle(Decimal("62.41"), Decimal(price), Decimal(total), currency)

    def test_what_follows_must_be_an_amount(self) -> None:
        with pytest.raises(Contradiction):
            settle(Decimal("0.001"), None, Decimal(999_999_999), "AUD")


@st.composite
def histories(draw: st.DrawFn) -> list[Fuelled]:
    """Fills by time, with an odometer that runs backwards only where it was reset."""
    made: list[Fuelled] = []
    at, odometer = START, draw(st.integers(0, 10**9))
    for _ in range(draw(st.integers(0, 14))):
        at += timedelta(hours=draw(st.integers(1, 400)))
        reset = draw(st.integers(0, 9)) == 0
        moved = draw(st.one_of(st.just(0), st.integers(1, 900_000)))
        odometer = draw(st.integers(0, 1000)) if reset else odometer + moved
        price = draw(st.one_of(st.none(), st.decimals("0", "500", places=2)))
        made.append(
            Fuelled(
                new_id(),
                at,
                odometer,
                draw(st.decimals("0.001", "120", places=3)),
                full=draw(st.booleans()),
                missed_before=draw(st.integers(0, 5)) == 0,
                odometer_reset=reset,
                total=price,
                currency=None if price is None else draw(st.sampled_from(["AUD", "NZD"])),
            )
        )
    return made


def by_brute_force(fills: list[Fuelled]) -> dict[UUID, tuple[int, Fraction]]:
    """Metres and litres per fill that ends a stretch: each pair of full tanks is tried."""
    found = {}
    for last in range(len(fills)):
        for first in range(last):
            between = fills[first + 1 : last + 1]
            ends = fills[first].full and fills[last].full
            known = not any(each.missed_before or each.odometer_reset for each in between)
            metres = fills[last].odometer_m - fills[first].odometer_m
            # no full tank further on in between, and none before at the same odometer
            shortest = not any(
                each.full and each.odometer_m not in (fills[first].odometer_m,)
                for each in between[:-1]
            )
            earlier = fills[:first]
            while earlier and not _breaks(fills[len(earlier)]):
                before = earlier.pop()
                if before.full and before.odometer_m == fills[first].odometer_m:
                    shortest = False
            if ends and known and metres > 0 and shortest:
                litres = sum((Fraction(each.volume_l) for each in between), Fraction(0))
                assert fills[last].id not in found
                found[fills[last].id] = (metres, litres)
    return found


def _breaks(each: Fuelled) -> bool:
    return each.missed_before or each.odometer_reset


class TestAnyHistory:
    @settings(max_examples=300, deadline=None)
    @given(fills=histories())
    def test_has_the_stretches_that_brute_force_finds(self, fills: list[Fuelled]) -> None:
        found = {
            each.end.id: (each.distance_m, Fraction(each.volume_l)) for each in stretches(fills)
        }
        assert found == by_brute_force(fills)

    @settings(max_examples=200, deadline=None)
    @given(fills=histories(), cuts=st.lists(st.integers(0, 6000), max_size=4))
    def test_is_the_sum_of_its_periods_to_the_cent(
        self, fills: list[Fuelled], cuts: list[int]
    ) -> None:
        edges = [None, *(START + timedelta(hours=n) for n in sorted(set(cuts))), None]
        parts = [economy(fills, *pair) for pair in pairwise(edges)]
        whole = economy(fills)
        for name in ("fills", "unpriced", "distance_m", "volume_l", "measured_m", "measured_l"):
            assert sum(getattr(part, name) for part in parts) == getattr(whole, name), name
        for currency in ("AUD", "NZD"):
            total = sum((part.spent.get(currency, Decimal(0)) for part in parts), Decimal(0))
            assert total == whole.spent.get(currency, Decimal(0))
            exact = sum(Fraction(each.total or 0) for each in fills if each.currency == currency)
            assert Fraction(total) == exact

    @settings(max_examples=200, deadline=None)
    @given(fills=histories())
    def test_lies_between_its_best_and_its_worst(self, fills: list[Fuelled]) -> None:
        found = economy(fills)
        assert (found.best is None) == (found.worst is None) == (not found.measured)
        if found.best and found.worst:
            average = Fraction(found.measured_l) / found.measured_m
            assert found.best.l_per_m <= average <= found.worst.l_per_m
        assert found.measured_m <= found.distance_m == sum(legs(fills).values())

    @settings(max_examples=200, deadline=None)
    @given(
        volume=st.decimals("0.001", "500", places=3),
        price=st.decimals("0", "20", places=3),
        currency=st.sampled_from(["AUD", "JPY", "KWD"]),
    )
    def test_price_gives_a_total_that_the_price_may_stand_beside(
        self, volume: Decimal, price: Decimal, currency: str
    ) -> None:
        made = settle(volume, price, None, currency)
        again = settle(volume, price, made.total, currency)
        assert (again.total, again.priced_by) == (made.total, PricedBy.BOTH)

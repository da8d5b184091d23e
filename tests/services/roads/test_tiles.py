"""Tiles: every missing cell in some call, within the limit, at the least cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roads.tiles import tiles


@given(st.integers(1, 70), st.floats(0, 1), st.integers(0, 1000), st.sampled_from([10, 25]))
def test_cover_what_is_missing(n: int, share: float, seed: int, most: int) -> None:
    missing = np.random.default_rng(seed).random((n, n)) < share
    covered = np.eye(n, dtype=bool)
    for tile in tiles(missing, most):
        assert len({*tile.rows, *tile.columns}) <= most
        covered[np.ix_(tile.rows, tile.columns)] = True
    assert (covered | ~missing).all()


@pytest.mark.parametrize("n", [2, 24, 25, 26, 37, 50, 60, 100])
def test_whole_tables(n: int) -> None:
    made = tiles(np.ones((n, n), dtype=bool), 25)
    calls = 1 if n <= 25 else math.ceil(n / 12) * math.ceil(n / 13)
    assert len(made) == calls
    assert sum(tile.elements for tile in made) == n * n


def test_nothing_is_missing() -> None:
    assert tiles(np.zeros((9, 9), dtype=bool), 25) == []
    assert tiles(np.eye(9, dtype=bool), 25) == []


def test_a_new_stop_costs_its_row_and_its_column() -> None:
    missing = np.zeros((40, 40), dtype=bool)
    missing[17] = missing[:, 17] = True
    made = tiles(missing, 25)
    assert sum(tile.elements for tile in made) == 2 * 39
    assert len(made) == 4

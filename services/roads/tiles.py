"""Which calls fetch the missing cells of a table: few, and no cell twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CALL_COSTS = 20
"""Elements that we would pay to spare a call: only so many go in a minute."""


@dataclass(frozen=True)
class Tile:
    """The cells of some rows and columns of a table, fetched by one call."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def elements(self) -> int:
        """What Mapbox bills."""
        return len(self.rows) * len(self.columns)


def tiles(missing: npt.NDArray[np.bool_], most: int) -> list[Tile]:
    """Tiles that cover all missing cells.

    Args:
        missing: shape (n, n).
        most: distinct places that one call may name; rows and columns count together.

    Returns:
        Rectangles of missing cells only, or whole blocks, whichever costs less.
    """
    wanted = missing.copy()
    np.fill_diagonal(wanted, False)
    n = len(wanted)
    if not wanted.any():
        return []
    exact = _exact(wanted, most)
    blocks = [tile for tile in _split(range(n), range(n), most) if _any(wanted, tile)]
    return min(blocks, exact, key=_cost)


def _cost(plan: list[Tile]) -> int:
    return sum(tile.elements + CALL_COSTS for tile in plan)


def _exact(wanted: npt.NDArray[np.bool_], most: int) -> list[Tile]:
    """Rows that lack the same cells go together: a new stop costs its row and its column."""
    alike: dict[bytes, list[int]] = {}
    for row, lacks in enumerate(wanted):
        alike.setdefault(lacks.tobytes(), []).append(row)
    found: list[Tile] = []
    for rows in alike.values():
        columns = np.flatnonzero(wanted[rows[0]]).tolist()
        if columns:
            found += _split(rows, columns, most)
    return found


def _split(rows: Sequence[int], columns: Sequence[int], most: int) -> list[Tile]:
    if len({*rows, *columns}) <= most:
        return [Tile(tuple(rows), tuple(columns))]
    # 12 × 13 of 25 is the largest product; a short side leaves its room to the other
    height = min(len(rows), max(most // 2, most - len(columns)))
    width = most - height
    return [
        Tile(tuple(rows[r : r + height]), tuple(columns[c : c + width]))
        for r in range(0, len(rows), height)
        for c in range(0, len(columns), width)
    ]


def _any(wanted: npt.NDArray[np.bool_], tile: Tile) -> bool:
    return bool(wanted[np.ix_(tile.rows, tile.columns)].any())

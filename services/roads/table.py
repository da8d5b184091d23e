"""A table of durations and distances, with where its figures come from and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.int64]
Source = Literal["mapbox", "highway_graph", "great_circle"]

OPEN_STREET_MAP = "© OpenStreetMap contributors"
"""Open Database License 1.0, section 4.3: whoever sees a work made from the data sees this."""


@dataclass(frozen=True)
class Remark:
    """Something to know about the figures: a stable code and a sentence for a person."""

    code: str
    detail: str


@dataclass(frozen=True, eq=False)
class EstimatedTable:
    """Durations in seconds and distances in metres, each of shape (n, n); row from, column to.

    Attributes:
        source: the least exact source of any figure.
        error_p90: nine of ten distances err by less than this share: "0.11"; None: not known.
        attribution: whom to credit where the figures are shown, if anybody.
    """

    durations_s: Table
    distances_m: Table
    source: Source
    error_p90: str | None
    remarks: tuple[Remark, ...] = ()
    attribution: str | None = None

    @classmethod
    def of(
        cls,
        seconds: npt.NDArray[np.float64],
        metres: npt.NDArray[np.float64],
        source: Source,
        error_p90: str | None,
        remarks: tuple[Remark, ...] = (),
        attribution: str | None = None,
    ) -> EstimatedTable:
        """Round what was computed; a place is no way from itself."""
        durations, distances = (np.rint(figures).astype(np.int64) for figures in (seconds, metres))
        np.fill_diagonal(durations, 0)
        np.fill_diagonal(distances, 0)
        return cls(durations, distances, source, error_p90, remarks, attribution)

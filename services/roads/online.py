"""Roads from Mapbox, as far as its limits, our budget and its mood allow; else our own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.database import Database, perform
from core.settings import Settings
from services.roads.cells import (
    Figures,
    OverBudget,
    TooBusy,
    find,
    keep,
    key_of,
    reserve,
    rounded,
)
from services.roads.highways import Highways
from services.roads.mapbox import LIMITS, Cells, Mapbox, MapboxAway, Patience
from services.roads.table import OPEN_STREET_MAP, EstimatedTable, Remark
from services.roads.tiles import Tile, tiles

ATTRIBUTION = f"© Mapbox {OPEN_STREET_MAP}"

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Sheet:
    """The table between distinct places while it is filled. NaN: no way; `known`: answered."""

    seconds: Cells
    metres: Cells
    known: npt.NDArray[np.bool_]

    @classmethod
    def blank(cls, n: int) -> _Sheet:
        known = np.eye(n, dtype=np.bool_)
        return cls(np.zeros((n, n)), np.zeros((n, n)), known)

    def write(self, row: int, column: int, figures: Figures) -> None:
        seconds, metres = figures or (np.nan, np.nan)
        self.seconds[row, column], self.metres[row, column] = seconds, metres
        self.known[row, column] = True


class MapboxRoads:
    """Tables of Mapbox, cell by cell from the cache where it answered lately."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        offline: Highways,
        check: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._database = database
        self._offline = offline
        self._check = check
        self._profile = settings.mapbox_profile

    def table(self, places: Sequence[tuple[float, float]]) -> EstimatedTable:
        """Durations and distances between places given as (lat, lon) in degrees.

        Raises:
            JobFailed: Mapbox refuses our token, or the places.
        """
        exact = [rounded(place) for place in places]
        distinct = list(dict.fromkeys(exact))
        if len(distinct) ** 2 > self._settings.mapbox_elements_per_job:
            return self._without(places, "these are more places than one plan may ask it for")
        try:
            sheet = self._fill(distinct)
        except OverBudget:
            return self._without(places, "the budget of the day is spent")
        except TooBusy:
            return self._without(places, "too many plans ask it at once")
        except MapboxAway as away:
            log.warning("mapbox is away: %s", away)
            return self._without(places, "it did not answer")
        rows = [distinct.index(place) for place in exact]
        at = np.ix_(rows, rows)
        return self._whole(places, sheet.seconds[at], sheet.metres[at])

    def _without(self, places: Sequence[tuple[float, float]], why: str) -> EstimatedTable:
        table = self._offline.table(places)
        remark = Remark("MAPBOX_NOT_USED", f"Mapbox was not used, since {why}.")
        return replace(table, remarks=(remark, *table.remarks))

    def _whole(
        self, places: Sequence[tuple[float, float]], seconds: Cells, metres: Cells
    ) -> EstimatedTable:
        """The table of Mapbox; cells in which it knows no way are our own."""
        no_way = np.isnan(seconds) | np.isnan(metres)
        if not no_way.any():
            return EstimatedTable.of(seconds, metres, "mapbox", None, attribution=ATTRIBUTION)
        own = self._offline.table(places)
        detail = (
            f"Mapbox knows no way for {np.count_nonzero(no_way):,} of "
            f"{no_way.size - len(no_way):,} legs; these are estimates."
        )
        return EstimatedTable.of(
            np.where(no_way, own.durations_s, seconds),
            np.where(no_way, own.distances_m, metres),
            own.source,
            own.error_p90,
            (Remark("ROADS_PARTLY_ESTIMATED", detail), *own.remarks),
            ATTRIBUTION,
        )

    def _fill(self, places: list[tuple[float, float]]) -> _Sheet:
        sheet = _Sheet.blank(len(places))
        self._recall(places, sheet)
        most, per_minute = LIMITS[self._profile]
        patience = Patience.of(self._settings.mapbox_patience_s, self._check)
        with closing(Mapbox(self._settings)) as mapbox:
            for tile in tiles(~sheet.known, most):
                patience.pause(self._turn(tile, per_minute, patience.left_s))
                sources = [places[row] for row in tile.rows]
                targets = [places[column] for column in tile.columns]
                self._take_in(places, sheet, tile, mapbox.cells(sources, targets, patience))
        return sheet

    def _recall(self, places: list[tuple[float, float]], sheet: _Sheet) -> None:
        if not self._settings.mapbox_keep_hours:
            return
        keys = {
            key_of(self._profile, source, target): (row, column)
            for row, source in enumerate(places)
            for column, target in enumerate(places)
            if row != column
        }
        with self._database.transaction() as session:
            known = perform(session, find(list(keys)))
        for key, figures in known.items():
            sheet.write(*keys[key], figures)

    def _turn(self, tile: Tile, per_minute: int, patience_s: float) -> float:
        steps = reserve(
            tile.elements,
            budget=self._settings.mapbox_elements_per_day,
            per_minute=per_minute,
            patience_s=patience_s,
        )
        with self._database.transaction() as session:
            return perform(session, steps)

    def _take_in(
        self,
        places: list[tuple[float, float]],
        sheet: _Sheet,
        tile: Tile,
        answer: tuple[Cells, Cells],
    ) -> None:
        """Write a tile to the sheet and to the cache, so that even a job that fails leaves it."""
        seconds, metres = answer
        cells = {}
        for r, row in enumerate(tile.rows):
            for c, column in enumerate(tile.columns):
                if row == column:
                    continue
                cell = seconds[r, c], metres[r, c]
                figures = None if np.isnan(cell).any() else (round(cell[0]), round(cell[1]))
                sheet.write(row, column, figures)
                cells[key_of(self._profile, places[row], places[column])] = figures
        keep_s = self._settings.mapbox_keep_hours * 3600
        if keep_s:
            with self._database.transaction(durable=False) as session:
                perform(session, keep(cells.items(), keep_s=keep_s))

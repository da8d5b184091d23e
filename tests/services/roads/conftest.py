"""Roads of an installation that has a token, with a Mapbox on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.database import Database, Role
from core.settings import Settings
from services.roads import Roads, roads_for
from tests.fakes.mapbox import TOKEN, FakeMapbox, fake_mapbox
from tests.stack import Stores

MakeRoads = Callable[..., Roads]


@pytest.fixture
def mapbox() -> Iterator[FakeMapbox]:
    with fake_mapbox() as fake:
        yield fake


@pytest.fixture
def database(stores: Stores) -> Iterator[Database]:
    """As a worker has it, with nothing kept and nothing spent."""
    with stores.sql() as sql:
        sql.execute("TRUNCATE road_cells, road_spending")
    made = Database(Settings(), Role.APP, pool_size=2)
    yield made
    made.dispose()


@pytest.fixture
def roads(mapbox: FakeMapbox, database: Database, monkeypatch: pytest.MonkeyPatch) -> MakeRoads:
    """Make roads: `roads(mapbox_elements_per_day=100)`."""
    monkeypatch.setattr("services.roads.mapbox.FIRST_PAUSE_S", 0.02)

    def make(check: Callable[[], None] = lambda: None, **changed: Any) -> Roads:
        given = {"mapbox_token": TOKEN, "mapbox_url": mapbox.url, **changed}
        return roads_for(Settings(**given), database, check)

    return make

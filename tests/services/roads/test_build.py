"""From the wheel to a region: contracted, mended, written and read, no distance is lost."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from heapq import heappop, heappush
from pathlib import Path

import numpy as np
import pytest

from services.roads import build, region
from services.roads.contraction import Neighbours
from services.roads.mending import bridge, divide
from services.roads.region import Box, Region


def grid(side: int, seed: int) -> tuple[list[Neighbours], build.Points]:
    """A town of streets with random lengths, some of them closed."""
    rng = np.random.default_rng(seed)
    graph: list[Neighbours] = [{} for _ in range(side * side)]
    for node in range(side * side):
        for other in (node + 1, node + side):
            across = other == node + 1 and other % side == 0
            if other < side * side and not across and rng.random() > 0.2:
                graph[node][other] = graph[other][node] = int(rng.integers(1, 100))
    places = [(node // side / 100 - 30, node % side / 100 + 140) for node in range(side * side)]
    return graph, np.array(places)


def ways(graph: list[Neighbours], source: int) -> Neighbours:
    """Dijkstra, as everybody writes it."""
    best, queue = {source: 0}, [(0, source)]
    while queue:
        length, node = heappop(queue)
        for neighbour, step in graph[node].items():
            if length + step < best.get(neighbour, 1 << 60):
                best[neighbour] = length + step
                heappush(queue, (length + step, neighbour))
    return best


def meet(made: Region, a: int, b: int) -> int | None:
    """The shortest way between two nodes of a region, in units."""
    up, down = (made.climb({node: 0}) for node in (a, b))
    over = dict(zip(up.hubs.tolist(), up.units.tolist(), strict=True))
    found = [
        over[hub] + units
        for hub, units in zip(down.hubs.tolist(), down.units.tolist(), strict=True)
        if hub in over
    ]
    return min(found, default=None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(region, "DATA", tmp_path)
    monkeypatch.setattr(build, "DATA", tmp_path)
    region.load.cache_clear()
    yield tmp_path
    region.load.cache_clear()


@pytest.mark.parametrize("seed", range(4))
def test_climbing_finds_the_shortest_ways(folder: Path, seed: int) -> None:
    graph, points = grid(9, seed)
    expected = [ways(graph, node) for node in range(len(graph))]
    build.write(folder / "town.npz", [dict(around) for around in graph], points)
    made = region.load("town")
    number = {
        (round(lat, 3), round(lon, 3)): i
        for i, (lat, lon) in enumerate(zip(made.lat.tolist(), made.lon.tolist(), strict=True))
    }
    nodes = [number[round(lat, 3), round(lon, 3)] for lat, lon in points.tolist()]
    for a in range(0, len(graph), 7):
        for b in range(len(graph)):
            assert meet(made, nodes[a], nodes[b]) == expected[a].get(b)
            joined = made.piece[nodes[a]] == made.piece[nodes[b]]
            assert joined == (b in expected[a])


def test_a_region_out_of_a_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long road with a gap, a crumb, and a road outside of the box."""
    source = (
        "graph=[{1: 60.0, 0: 0.0}, {0: 60.0, 2: 1.0}, {1: 1.0}, {4: 1.0}, {3: 1.0}, {6: 1.0}, "
        "{5: 1.0}, {8: 1.0}, {7: 1.0}]\n"
        "nodes=[[-30.0, 140.0], [-30.0, 140.6], [-30.0, 140.61], [-30.0, 140.62], "
        "[-30.0, 140.63], [-31.0, 145.0], [-31.0, 145.01], [50.0, 5.0], [50.0, 5.01]]\n"
    )
    wheel = folder / "made.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(build.MEMBER, source)
    monkeypatch.setattr(build, "BOXES", {"outback": Box(-40, -20, 130, 150)})
    monkeypatch.setattr(build, "GAP_M", {"outback": 2_000})
    monkeypatch.setattr(build, "LEAST_NODES", 3)
    build.main(str(wheel))
    made = region.load("outback")
    # two nodes on the long road, and neither the crumb nor the other continent
    assert sorted(np.round(made.lon, 2).tolist()) == [
        140.0,
        140.2,
        140.4,
        140.6,
        140.61,
        140.62,
        140.63,
    ]
    [start], [away] = made.entries(-30.0, 140.0, 500)
    [end], _ = made.entries(-30.0, 140.63, 500)
    assert away == 0
    gap = 1.3 * 963  # 0.01 degrees of longitude
    assert meet(made, start, end) == pytest.approx((62_000 + gap) / 10, abs=2)


def test_only_gaps_are_bridged() -> None:
    points = np.array([[0, 0], [0, 0.01], [0.005, 0], [0.005, 0.01]], dtype=np.float64)
    around: list[Neighbours] = [{1: 111}, {0: 111, 3: 55}, {3: 111}, {2: 111, 1: 55}]
    assert bridge(around, points, 1000, 10) == 0  # two streets of one block
    apart: list[Neighbours] = [{1: 111}, {0: 111}, {3: 111}, {2: 111}]
    assert bridge(apart, points, 1000, 10) == 1
    assert apart[0][2] == apart[2][0] == round(1.3 * 55.6)
    assert bridge([{1: 111}, {0: 111}, {3: 111}, {2: 111}], points, 500, 10) == 0


def test_winding_roads_are_not_divided() -> None:
    points = np.array([[0, 0], [0, 0.5]], dtype=np.float64)
    winding: list[Neighbours] = [{1: 9000}, {0: 9000}]
    assert len(divide(winding, points, 10)) == 2
    straight: list[Neighbours] = [{1: 5600}, {0: 5600}]
    assert divide(straight, points, 10)[2:].round(3).tolist() == [[0, 0.167], [0, 0.333]]
    assert ways(straight, 0)[1] == 5600

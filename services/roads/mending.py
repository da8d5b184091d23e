"""Mends a simplified road graph: small gaps are bridged, and long roads get places to join."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from services.roads.contraction import Neighbours
from services.roads.great_circle import straight_m

Points = npt.NDArray[np.float64]

#: A gap counts as one where the way around is longer than so many times the gap, and than this.
WAY_AROUND = 10
LEAST_WAY_AROUND_M = 8_000

ROADS_BEND = 1.3
#: Roads are divided about every so many metres …
STRIDE_M = 25_000
#: … where they are so straight that a point of the chord lies near the road.
NEARLY_STRAIGHT = 1.2


def bridge(graph: list[Neighbours], points: Points, gap_m: float, unit_m: int) -> int:
    """Join dead ends with the nearest road that they should have reached.

    Simplifying has lost short edges: without it the only road from Adelaide to Perth is
    broken for 600 m at Ceduna, and the way around takes 700 km.

    Returns:
        How many gaps were bridged.
    """
    northward = np.argsort(points[:, 0], kind="stable")
    latitudes = points[northward, 0]
    reach, bridged = gap_m / 111_000, 0
    for end in range(len(graph)):
        if len(graph[end]) != 1:
            continue
        lat, lon = points[end]
        south, north = np.searchsorted(latitudes, (lat - reach, lat + reach))
        strip = northward[south:north]
        metres = straight_m(lat, lon, points[strip, 0], points[strip, 1])
        order = np.argsort(metres, kind="stable")
        near = order[metres[order] <= gap_m]
        bridged += _join(graph, end, strip[near].tolist(), metres[near].tolist(), unit_m)
    return bridged


def _join(
    graph: list[Neighbours], end: int, nodes: list[int], metres: list[float], unit_m: int
) -> bool:
    """Join a dead end with the first of the nodes to which there is no way already."""
    for node, gap in zip(nodes, metres, strict=True):
        around = max(WAY_AROUND * gap, LEAST_WAY_AROUND_M)
        if node != end and not _connected(graph, end, node, round(around / unit_m)):
            graph[end][node] = graph[node][end] = round(ROADS_BEND * gap / unit_m)
            return True
    return False


def _connected(graph: list[Neighbours], source: int, target: int, within: int) -> bool:
    best = {source: 0}
    queue = [(0, source)]
    while queue:
        length, node = heapq.heappop(queue)
        if node == target:
            return True
        for neighbour, step in graph[node].items():
            further = length + step
            if further <= within and further < best.get(neighbour, within + 1):
                best[neighbour] = further
                heapq.heappush(queue, (further, neighbour))
    return False


def divide(graph: list[Neighbours], points: Points, unit_m: int) -> Points:
    """Give long roads nodes on the way, since towns lie along them and not at junctions only.

    Returns:
        The points, those of the new nodes last; the graph is changed in place.
    """
    added: list[Points] = []
    for a in range(len(points)):
        for b, length in list(graph[a].items()):
            pieces = -(-length * unit_m // STRIDE_M)
            if a > b or pieces < 2:
                continue
            chord = straight_m(points[a, 0], points[a, 1], points[b, 0], points[b, 1])
            if length * unit_m > NEARLY_STRAIGHT * chord:
                continue
            del graph[a][b], graph[b][a]
            first = len(graph)
            graph += [{} for _ in range(pieces - 1)]
            chain = [a, *range(first, len(graph)), b]
            ends = [length * i // pieces for i in range(pieces + 1)]
            for i in range(pieces):
                step = ends[i + 1] - ends[i]
                graph[chain[i]][chain[i + 1]] = graph[chain[i + 1]][chain[i]] = step
            shares = np.arange(1, pieces)[:, None] / pieces
            added.append(points[a] + shares * (points[b] - points[a]))
    return np.concatenate([points, *added])

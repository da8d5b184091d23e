"""Contraction hierarchies: a road graph ordered so that shortest paths need only climb.

Geisberger, Sanders, Schultes, Delling (2008), Contraction Hierarchies, WEA 2008. Run once
by `services.roads.build`; what it leaves behind is read by `services.roads.region`.
"""

from __future__ import annotations

import heapq

Neighbours = dict[int, int]
Upward = list[tuple[int, int, int]]

#: Nodes that a search for a way around looks at. More of them spare shortcuts, but cost hours.
WITNESS_NODES = 200


def contract(graph: list[Neighbours]) -> tuple[list[int], Upward]:
    """Take the nodes out one by one, least important first, keeping all distances.

    Args:
        graph: per node {neighbour: length}, undirected, integer lengths; used up.

    Returns:
        The nodes from least to most important, and the edges (from, to, length) to more
        important nodes, shortcuts included. A shortest path of the graph goes up from both
        ends along such edges until it meets.
    """
    depth = [0] * len(graph)
    queue = [(_priority(graph, node, 0), node) for node in range(len(graph))]
    heapq.heapify(queue)
    order: list[int] = []
    upward: Upward = []
    while queue:
        _, node = heapq.heappop(queue)
        now = _priority(graph, node, depth[node])
        if queue and now > queue[0][0]:  # it has become more important since it was queued
            heapq.heappush(queue, (now, node))
            continue
        shortcuts = _shortcuts(graph, node)
        around = graph[node]
        for neighbour, length in around.items():
            upward.append((node, neighbour, length))
            del graph[neighbour][node]
            depth[neighbour] = max(depth[neighbour], depth[node] + 1)
        for a, b, length in shortcuts:
            graph[a][b] = graph[b][a] = length
        graph[node] = {}
        order.append(node)
    return order, upward


def _priority(graph: list[Neighbours], node: int, depth: int) -> int:
    """Edges that the node's removal would add, less those it takes; flat hierarchies first."""
    return 2 * (len(_shortcuts(graph, node)) - len(graph[node])) + depth


def _shortcuts(graph: list[Neighbours], node: int) -> Upward:
    """The edges that keep the distances between the neighbours once `node` is gone."""
    around = sorted(graph[node].items())
    found: Upward = []
    for i, (source, first) in enumerate(around[:-1]):
        wanted = {target: first + second for target, second in around[i + 1 :]}
        known = _witnesses(graph, source, node, wanted)
        found += [
            (source, target, length)
            for target, length in wanted.items()
            if known.get(target, length + 1) > length
        ]
    return found


def _witnesses(graph: list[Neighbours], source: int, banned: int, wanted: Neighbours) -> Neighbours:
    """Lengths of ways from `source` past `banned`, as far as a short search finds them."""
    enough, open_targets = max(wanted.values()), set(wanted)
    best = {source: 0}
    queue = [(0, source)]
    settled: set[int] = set()
    while queue and open_targets and len(settled) < WITNESS_NODES:
        length, node = heapq.heappop(queue)
        if length > enough:
            break
        if node in settled:
            continue
        settled.add(node)
        open_targets.discard(node)
        for neighbour, step in graph[node].items():
            further = length + step
            if neighbour != banned and further < best.get(neighbour, enough + 1):
                best[neighbour] = further
                heapq.heappush(queue, (further, neighbour))
    return best

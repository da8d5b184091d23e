"""Why no plan exists: few required stops whose windows no order can keep together.

All proofs run over the quickest way between two stops, detours through others included
and their service left out, so what is impossible here is impossible in every plan.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.plan_route.engine import exact
from tasks.plan_route.engine.problem import Order, Problem
from tasks.plan_route.engine.roads import IntTable

SUBSET = exact.MAX_WINDOWED  # stops of one proof
PROOF_S = 2.0  # what the search for a proof may take after the budget


@dataclass(frozen=True)
class Conflict:
    """Required stops that cannot all be served in time.

    Attributes:
        stops: their nodes, as few as were found; without proof, the stops that were late.
        proven: whether no plan can serve them all.
    """

    stops: tuple[int, ...]
    proven: bool


def obvious(problem: Problem) -> Conflict | None:
    """A required stop, or a pair of them, that rules every plan out; None: not seen."""
    for durations in (problem.durations, None):
        table = quickest(problem.durations) if durations is None else durations
        found = _pair(problem, table)
        if found is None:
            return None  # a detour only adds ways: without one it is possible already
    return found


def explain(problem: Problem, least_late: Sequence[int]) -> Conflict:
    """The smallest conflict that can be shown around the stops that came too late.

    Args:
        problem: one for which no plan was found.
        least_late: the order of the stops that was least late.
    """
    late = _late(problem, least_late)
    table = quickest(problem.durations)
    deadline = time.monotonic() + PROOF_S
    for node in late:
        for subset in _around(problem, least_late, node):
            if time.monotonic() > deadline:
                break
            if not _possible(problem, table, subset):
                return Conflict(_thin(problem, table, subset), proven=True)
    return Conflict(tuple(late), proven=False)


def quickest(durations: IntTable) -> IntTable:
    """All-pairs quickest ways, shape (m, m) (Floyd 1962, Communications of the ACM 5:345)."""
    best = durations.copy()
    for via in range(len(best)):
        np.minimum(best, best[:, via, None] + best[None, via, :], out=best)
    return best


def _pair(problem: Problem, table: IntTable) -> Conflict | None:
    """One stop out of reach, or two of which neither can follow the other."""
    nodes = [v for v in range(1, problem.n + 1) if problem.required[v] and problem.windows[v]]
    left_at = []
    for node in nodes:
        start = problem.begin(node, int(table[0, node]))
        if start is None:
            return Conflict((node,), proven=True)
        left_at.append(start + problem.service[node])
    closes = np.array([problem.windows[node][-1][1] for node in nodes])
    follows = np.array(left_at)[:, None] + table[np.ix_(nodes, nodes)] <= closes[None, :]
    never = ~(follows | follows.T)
    np.fill_diagonal(never, False)
    if not never.any():
        return None
    first, second = (int(i) for i in np.unravel_index(never.argmax(), never.shape))
    return Conflict((nodes[first], nodes[second]), proven=True)


def _late(problem: Problem, order: Sequence[int]) -> Order:
    """The stops of an order that are reached after their last window."""
    late, now, here = [], 0, 0
    for node in order:
        now += int(problem.durations[here, node])
        start = problem.begin(node, now)
        if start is None:
            late.append(node)
        now = (now if start is None else start) + problem.service[node]
        here = node
    return late


def _around(problem: Problem, order: Sequence[int], node: int) -> list[Order]:
    """Small sets of required stops with windows that may be in each other's way."""
    rivals = [v for v in order if problem.required[v] and problem.windows[v]]
    if node not in rivals:
        return []
    at = rivals.index(node)
    closes = problem.windows[node][-1][1]
    near = sorted(rivals, key=lambda v: abs(problem.windows[v][-1][1] - closes))
    before = rivals[max(0, at + 1 - SUBSET) : at + 1]
    return [before, near[:SUBSET]]


def _possible(problem: Problem, table: IntTable, stops: Sequence[int]) -> bool:
    """Whether some order serves these stops in time, the others left out."""
    nodes = [0, *stops]
    part = replace(
        problem,
        durations=table[np.ix_(nodes, nodes)],
        arcs=np.zeros((len(nodes), len(nodes)), dtype=np.int64),
        elapsed=0,
        service=tuple(problem.service[v] for v in nodes),
        windows=tuple(problem.windows[v] for v in nodes),
        weekly=tuple(problem.weekly[v] for v in nodes),
        prizes=(0,) * len(nodes),
        required=(False, *(True for _ in stops)),
        end=None,
    )
    return exact.best_order(part) is not None


def _thin(problem: Problem, table: IntTable, stops: Sequence[int]) -> tuple[int, ...]:
    """Leave out what the conflict does not need (deletion filter: Chinneck, Dravnieks 1991)."""
    kept = list(stops)
    for node in stops:
        without = [v for v in kept if v != node]
        if without and not _possible(problem, table, without):
            kept = without
    return tuple(kept)


def of_few(problem: Problem) -> Conflict:
    """The conflict in a problem of few stops that has been shown to have no plan."""
    nodes = [v for v in range(1, problem.n + 1) if problem.required[v] and problem.windows[v]]
    table = quickest(problem.durations)
    if _possible(problem, table, nodes):  # only the service of a stop on the way rules it out
        return Conflict(tuple(nodes), proven=True)
    return Conflict(_thin(problem, table, nodes), proven=True)

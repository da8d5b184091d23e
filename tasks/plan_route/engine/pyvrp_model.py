"""A route problem in the terms of PyVRP, and its solutions back in ours.

A stop with several windows is a group of clients of which one is served. An open end is
a depot that costs nothing to reach. PyVRP counts an unused vehicle as free: where
staying at home is allowed and the trip ends elsewhere, a required client on the doorstep
of the start makes it pay for the way to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyvrp import Client, ClientGroup, Depot, Location, ProblemData, Solution, VehicleType

from tasks.plan_route.contract.rules import MAX_WINDOWS_IN_ALL
from tasks.plan_route.engine.problem import Order, Problem, Windows
from tasks.plan_route.engine.roads import IntTable

MAX_ARC = 1 << 40  # PyVRP warns above 2**44, and multiplies lateness by up to 100,000
FOREVER = 1 << 50  # seconds
BEYOND_S = 14 * 86_400


@dataclass(frozen=True, eq=False)
class Model:
    """The data for PyVRP, and whom each of its clients stands for.

    Attributes:
        problem: what is modelled.
        data: PyVRP's view of it.
        stop_of: stop node per client; 0 for the client on the doorstep.
        clients_of: clients per stop node, one per window, in their order.
        windows: the windows of each node that the clients stand for.
    """

    problem: Problem
    data: ProblemData
    stop_of: tuple[int, ...]
    clients_of: tuple[tuple[int, ...], ...]
    windows: tuple[Windows, ...]

    def solution(self, order: Sequence[int]) -> Solution:
        """An order as a solution; each stop in the first window that is not over."""
        visits = [self.stop_of.index(0)] if 0 in self.stop_of else []
        now = here = 0
        for node in order:
            now += int(self.problem.durations[here, node])
            windows, clients = self.windows[node], self.clients_of[node]
            ahead = [k for k, (_, closes) in enumerate(windows) if now <= closes]
            at = ahead[0] if ahead else len(clients) - 1
            visits.append(clients[at])
            now = max(now, windows[at][0] if windows else 0) + self.problem.service[node]
            here = node
        return Solution(self.data, [visits])

    def order(self, solution: Solution) -> Order:
        """The stops of a solution in the order of their visits."""
        found = [
            self.stop_of[activity.idx]
            for route in solution.routes()
            for activity in route
            if activity.is_client()
        ]
        return [node for node in found if node]


def model(problem: Problem) -> Model:
    """Translate a problem with at least one stop."""
    doorstep = problem.end not in (None, 0) and not any(problem.required)
    step = max(1, -(-int(problem.arcs.max()) // MAX_ARC))
    arcs, durations, end = _tables(problem, doorstep, step)
    windows = dated(problem)
    clients, groups, clients_of = _clients(problem, windows, step)
    stop_of = [client.location for client in clients]
    if doorstep:
        clients.append(Client(len(arcs) - 1, required=True))
        stop_of.append(0)
    vehicle = VehicleType(
        start_depot=0,
        end_depot=1,
        start_late=0,  # the trip begins when it was said to, not when waiting is least
        unit_distance_cost=1,
        unit_duration_cost=round(problem.elapsed / step),
    )
    data = ProblemData(
        locations=[Location(0, 0) for _ in range(len(arcs))],
        clients=clients,
        depots=[Depot(0), Depot(end)],
        vehicle_types=[vehicle],
        distance_matrices=[arcs],  # type: ignore[list-item]
        duration_matrices=[durations],  # type: ignore[list-item]
        groups=groups,
    )
    return Model(problem, data, tuple(stop_of), tuple(clients_of), windows)


def dated(problem: Problem) -> tuple[Windows, ...]:
    """The windows per node, weekly hours written out as dates.

    Written out until two weeks after the stops in their given order are done: whoever can
    keep to the hours later can keep to them by then. Where that makes too many clients,
    weekly hours count only when an order is looked at, not in the search for it.
    """
    if not any(problem.weekly):
        return problem.windows
    last = now = here = 0
    for node in range(1, problem.n + 1):
        now += int(problem.durations[here, node])
        start = problem.begin(node, now)
        now, here = (now if start is None else start) + problem.service[node], node
        last = max(last, *(opens for opens, _ in problem.windows[node]), 0)
    horizon = max(now, last) + BEYOND_S
    found: list[Windows] = [()]
    for node in range(1, problem.n + 1):
        found.append(_written_out(problem, node, horizon))
        if sum(map(len, found)) > MAX_WINDOWS_IN_ALL:
            return problem.windows
    return tuple(found)


def _written_out(problem: Problem, node: int, horizon: int) -> Windows:
    weekly, windows = problem.weekly[node], problem.windows[node]
    if weekly is None:
        return windows
    spans: set[tuple[int, int]] = set()
    for opens, closes in windows or ((0, horizon),):
        if opens <= min(closes, horizon):
            spans.update(weekly.between(opens, min(closes, horizon)))
    return tuple(sorted(spans)) or ((0, -1),)


def _tables(problem: Problem, doorstep: bool, step: int) -> tuple[IntTable, IntTable, int]:
    """Costs and seconds between locations, and the location where the trip ends."""
    size = len(problem.arcs)
    nowhere = problem.end is None
    total = size + nowhere + doorstep
    arcs = np.zeros((total, total), dtype=np.int64)
    durations = np.zeros((total, total), dtype=np.int64)
    arcs[:size, :size] = problem.arcs // step
    durations[:size, :size] = problem.durations
    if doorstep:
        arcs[-1], durations[-1] = arcs[0], durations[0]
        arcs[1:-1, -1] = MAX_ARC  # only from the start
    return arcs, durations, problem.end if problem.end is not None else size


def _clients(
    problem: Problem, dates: Sequence[Windows], step: int
) -> tuple[list[Client], list[ClientGroup], list[tuple[int, ...]]]:
    """A client per window of each stop; several of one stop make a group."""
    clients: list[Client] = []
    groups: list[ClientGroup] = []
    clients_of: list[tuple[int, ...]] = [()]
    for node in range(1, problem.n + 1):
        windows = dates[node] or ((0, FOREVER),)
        own = tuple(range(len(clients), len(clients) + len(windows)))
        several = len(windows) > 1
        for opens, closes in windows:
            clients.append(
                Client(
                    node,
                    service_duration=problem.service[node],
                    tw_early=opens,
                    tw_late=closes,
                    prize=round(problem.prizes[node] / step),
                    required=problem.required[node] and not several,
                    group=len(groups) if several else None,
                )
            )
        if several:
            groups.append(ClientGroup(list(own), required=problem.required[node]))
        clients_of.append(own)
    return clients, groups, clients_of

"""The travelling salesman by fast-tsp: encodings, ends, big costs."""

from __future__ import annotations

import time
from types import SimpleNamespace

import fast_tsp
import numpy as np
import pytest

from tasks.plan_route.engine import ordering
from tasks.plan_route.engine.problem import Problem
from tasks.plan_route.engine.search import Search
from tests.tasks.plan_route.asking import FakeRun


def line(n: int, *, longest: int = 100, uphill: int = 1, end: int | None = 0) -> Problem:
    """Places on a line, start at one end; the way out is `uphill` times as long as back."""
    at = np.arange(n + 1 + (end not in (None, 0)), dtype=np.int64) * longest
    steps = at[None, :] - at[:, None]
    arcs = np.where(steps > 0, steps * uphill, -steps)
    return Problem(
        durations=arcs,
        arcs=arcs,
        elapsed=0,
        service=(0,) * (n + 1),
        windows=((),) * (n + 1),
        prizes=(0,) * (n + 1),
        required=(False, *(True,) * n),
        end=end,
        weekly=(None,) * (n + 1),
    )


def solved(problem: Problem, budget_s: float = 0.3) -> Search:
    search = Search(problem, FakeRun(), budget_s)
    search.offer([*range(2, problem.n + 1), 1])
    ordering.solve(problem, search)
    return search


@pytest.mark.parametrize("n", [12, 30])
@pytest.mark.parametrize("uphill", [1, 3])
@pytest.mark.parametrize("longest", [100, 100_000])
def test_every_end_is_found_on_a_line(n: int, uphill: int, longest: int) -> None:
    out, back = n * longest * uphill, n * longest
    assert solved(line(n, longest=longest, uphill=uphill)).value == out + back
    assert solved(line(n, longest=longest, uphill=uphill, end=None)).value == out
    beyond = line(n, longest=longest, uphill=uphill, end=n + 1)
    assert solved(beyond).value == out + longest * uphill


def test_few_places_are_proven_and_stop_the_search() -> None:
    search = solved(line(18), budget_s=30)
    assert search.proven
    assert search.spent_s < 5


@pytest.fixture
def own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets in seconds of this thread: a machine with other work to do takes none away."""
    clock = SimpleNamespace(monotonic=time.thread_time)
    monkeypatch.setattr("tasks.plan_route.engine.search.time", clock)


@pytest.mark.usefixtures("own_time")
@pytest.mark.parametrize("uphill", [1, 2])
@pytest.mark.parametrize("end", [0, None, 31])
def test_the_bound_is_below_and_near(uphill: int, end: int | None) -> None:
    problem = line(30, uphill=uphill, end=end)
    best = solved(problem).value
    search = solved(problem, budget_s=1)
    assert best is not None
    assert search.value == best
    assert search.bound is not None
    assert search.bound <= best
    if uphill == 1:
        assert search.bound >= 0.9 * best


def test_nothing_to_drive_is_proven_at_once() -> None:
    search = solved(line(40, longest=0), budget_s=30)
    assert search.value == 0
    assert search.spent_s < 5


@pytest.mark.parametrize("uphill", [1, 2])
@pytest.mark.parametrize("end", [0, None, 8])
def test_every_order_survives_its_encoding(uphill: int, end: int | None) -> None:
    closed = ordering.close(line(7, uphill=uphill, end=end))
    matrix, step = ordering.encode(closed, int(closed.costs.max()))
    assert step == 1
    assert (matrix == matrix.T).all()
    nodes = len(matrix)
    assert nodes <= 20, "the library is exact"
    order = ordering.decode(closed, fast_tsp.find_tour(matrix, 0.1))
    assert order is not None
    assert sorted(order) == list(range(1, 8))


def test_a_broken_tour_is_no_order() -> None:
    closed = ordering.close(line(3, uphill=2))
    assert ordering.decode(closed, [0, 1, 2, 3, 4, 5, 6, 7]) is None
    ended = ordering.close(line(3, end=4))
    assert ordering.decode(ended, [5, 1, 0, 2, 3, 4]) is None

"""Bodies of route requests for tests: a small valid one, and any by Hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.tasks.plan_route.instances import moment

Json = dict[str, Any]


def stop(stop_id: str, *windows: tuple[int, int], **more: Any) -> Json:
    """A stop at the equator with windows in seconds after the departure."""
    spans = [{"start": moment(opens), "end": moment(closes)} for opens, closes in windows]
    return {"id": stop_id, "lat": 0, "lon": 0, "windows": spans, **more}


def body(*stops: Json, apart_s: int = 1000, **more: Any) -> Json:
    """A request whose places are all as far from each other, with its own matrix."""
    size = 1 + len(stops) + isinstance(more.get("end"), dict)
    table = [[0 if i == j else apart_s for j in range(size)] for i in range(size)]
    return {
        "start": {"name": "home", "lat": 0, "lon": 0},
        "stops": list(stops),
        "depart_at": moment(0),
        "matrix": {"durations_s": table, "distances_m": table},
        "budget_s": 0.3,
        **more,
    }


def optional(stop_id: str, prize: float, *windows: tuple[int, int]) -> Json:
    """A stop that may be left out."""
    return stop(stop_id, *windows, required=False, prize=prize)


OBJECTIVES: list[Json] = [
    {},
    {"driving": 1, "elapsed": 1},
    {"driving": 0, "elapsed": 1},
    {"driving": 0, "distance": 1},
    {"driving": 0.5, "elapsed": 0.25, "distance": 0.1},
]


@st.composite
def small_bodies(draw: st.DrawFn) -> Json:
    """Two to five stops; own matrix, symmetric or not; all kinds of ends and wishes."""
    end = draw(st.sampled_from(["start", "any", {"lat": 0, "lon": 0}]))
    kinds = draw(st.sampled_from(["pure", "windows", "optional", "both"]))
    stops = [_any_stop(draw, f"s{i}", kinds) for i in range(draw(st.integers(2, 5)))]
    size = 1 + len(stops) + isinstance(end, dict)
    symmetric = draw(st.booleans())
    return {
        **body(*stops, end=end, objective=draw(st.sampled_from(OBJECTIVES))),
        "matrix": {
            "durations_s": _table(draw, size, symmetric),
            "distances_m": _table(draw, size, symmetric),
        },
        "seed": draw(st.integers(0, 9)),
    }


def _any_stop(draw: st.DrawFn, stop_id: str, kinds: str) -> Json:
    windows: list[tuple[int, int]] = []
    if kinds in ("windows", "both"):
        opening = st.tuples(st.integers(-100, 4000), st.integers(0, 3000))
        windows = [(opens, opens + width) for opens, width in draw(st.lists(opening, max_size=3))]
    service_s = draw(st.sampled_from([0, 0, 30]))
    if kinds in ("optional", "both") and draw(st.booleans()):
        prize = draw(st.sampled_from([1, 50.5, 500, 3000]))
        return {**optional(stop_id, prize, *windows), "service_s": service_s}
    return {**stop(stop_id, *windows), "service_s": service_s}


def _table(draw: st.DrawFn, size: int, symmetric: bool) -> list[list[int]]:
    longest = draw(st.sampled_from([3, 100, 3000]))
    cells = st.lists(st.integers(0, longest), min_size=size * size, max_size=size * size)
    flat = draw(cells)
    table = [flat[i * size : (i + 1) * size] for i in range(size)]
    for i in range(size):
        table[i][i] = 0
        for j in range(i):
            if symmetric:
                table[i][j] = table[j][i]
    return table

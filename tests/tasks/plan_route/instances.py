"""Published instances as the JSON that a client would post to `/api/v1/routes`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "routing"
DEPART_AT = datetime(2026, 3, 1, tzinfo=UTC)

Json = dict[str, Any]
Table = list[list[int]]

OPTIMA = {"att48.tsp": 10628, "gr96.tsp": 55209, "gr202.tsp": 40160, "ftv170.atsp": 2755}
"""Proven optima (TSPLIB, Heidelberg)."""

DECIMALS = {"rc_208.1.txt": 4}
"""Decimal places of instances that are not whole numbers."""


@dataclass(frozen=True)
class Windowed:
    """A travelling salesman with time windows, in whole units.

    Attributes:
        durations: shape (n, n), node 0 is the depot.
        windows: (opens, closes) per node.
        best: travel time of the best known order.
        order: that order, nodes 1..n-1.
    """

    durations: Table
    windows: list[tuple[int, int]]
    best: int
    order: list[int]


def ordering_names() -> list[str]:
    """The instances without windows."""
    return list(OPTIMA)


def windowed_names() -> list[str]:
    """The instances with windows."""
    return sorted(path.name for path in (DATA / "tsptw").iterdir() if path.name != "best_known.txt")


def route_request(
    durations: Table,
    windows: Sequence[tuple[int, int] | None] = (),
    *,
    budget_s: float,
    **more: Any,
) -> Json:
    """A request over a table of one's own; stop `s3` is row 3.

    Args:
        durations: seconds, node 0 is the start; used as metres, too.
        windows: (opens, closes) in seconds after the departure per node, start included.
        budget_s: what the engine may take.
        more: further fields of the request.
    """
    stops: list[Json] = [{"id": f"s{i}", "lat": 0, "lon": 0} for i in range(1, len(durations))]
    for stop, window in zip(stops, windows[1:], strict=False):
        if window is not None:
            stop["windows"] = [{"start": moment(window[0]), "end": moment(window[1])}]
    return {
        "start": {"name": "depot", "lat": 0, "lon": 0},
        "stops": stops,
        "depart_at": moment(0),
        "matrix": {"durations_s": durations, "distances_m": durations},
        "budget_s": budget_s,
        **more,
    }


def moment(after_s: int) -> str:
    """RFC 3339, `after_s` seconds after the departure."""
    return (DEPART_AT + timedelta(seconds=after_s)).isoformat()


def ordering_request(name: str, budget_s: float) -> Json:
    """The request for one of `ordering_names`, a round trip."""
    return route_request(tsplib(name), budget_s=budget_s)


def windowed_request(name: str, budget_s: float) -> Json:
    """The request for one of `windowed_names`, a round trip by travel time."""
    instance = windowed(name)
    return route_request(instance.durations, instance.windows, budget_s=budget_s)


def windowed(name: str) -> Windowed:
    """Read an instance with windows: n, n rows, then n lines of (opens, closes)."""
    scale = 10 ** DECIMALS.get(name, 0)
    n, *rest = (DATA / "tsptw" / name).read_text().split()
    size = int(n)
    cells = rest[: size * size + 2 * size]  # comments may follow
    numbers = [round(float(cell) * scale) for cell in cells]
    rows = [numbers[i * size : (i + 1) * size] for i in range(size)]
    flat = numbers[size * size :]
    cost, order = _best_known(name)
    return Windowed(
        durations=_no_diagonal(rows),
        windows=list(zip(flat[::2], flat[1::2], strict=True)),
        best=round(cost * scale),
        order=order,
    )


def _best_known(name: str) -> tuple[float, list[int]]:
    for line in (DATA / "tsptw" / "best_known.txt").read_text().splitlines():
        if line.startswith(name):
            _, cost, _, *order = line.split()
            return float(cost), [int(node) for node in order]
    raise LookupError(name)


def tsplib(name: str) -> Table:
    """Read a TSPLIB95 instance of type ATT, GEO or FULL_MATRIX (Reinelt 1991, section 2)."""
    text = (DATA / name).read_text()
    if "EDGE_WEIGHT_SECTION" in text:
        n = int(text.split("DIMENSION")[1].split()[1])
        numbers = [int(t) for t in text.split("EDGE_WEIGHT_SECTION")[1].split() if t != "EOF"]
        return _no_diagonal([numbers[i * n : (i + 1) * n] for i in range(n)])
    lines = text.split("NODE_COORD_SECTION")[1].splitlines()
    fields = [line.split() for line in lines if line.strip() not in ("", "EOF")]
    points = [(float(x), float(y)) for _, x, y in fields]
    distance = _att if "ATT" in text.split("EDGE_WEIGHT_TYPE")[1].split()[1] else _geo
    return _no_diagonal([[distance(a, b) for b in points] for a in points])


def _no_diagonal(rows: Table) -> Table:
    return [[0 if i == j else cell for j, cell in enumerate(row)] for i, row in enumerate(rows)]


def _att(a: tuple[float, float], b: tuple[float, float]) -> int:
    exact = math.sqrt(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / 10)
    return round(exact) + (round(exact) < exact)


def _geo(a: tuple[float, float], b: tuple[float, float]) -> int:
    (lat1, lon1), (lat2, lon2) = (tuple(_radians(x) for x in point) for point in (a, b))
    q1, q2, q3 = math.cos(lon1 - lon2), math.cos(lat1 - lat2), math.cos(lat1 + lat2)
    return int(6378.388 * math.acos(0.5 * ((1 + q1) * q2 - (1 - q1) * q3)) + 1)


def _radians(degrees_minutes: float) -> float:
    degrees = int(degrees_minutes)
    return 3.141592 * (degrees + 5 * (degrees_minutes - degrees) / 3) / 180  # TSPLIB's own pi

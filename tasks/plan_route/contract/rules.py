"""Rules across the fields of a route request, each naming the field that breaks it.

Pydantic runs a model's validators only when all of its fields are right. A client should
see everything at once, so the rules on the shape of a request read the raw body.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from tasks.plan_route.contract.values import INFEASIBLE

if TYPE_CHECKING:
    from tasks.plan_route.contract.request import RouteRequest, Stop

MAX_WINDOWS_IN_ALL = 2000
"""Each window is a client of the solver, whose setup grows with their square."""

UNREACHABLE_M_PER_S = 200 / 3.6
"""No road is faster than 200 km/h in a straight line, whatever the matrix will say."""

EARTH_RADIUS_M = 6_371_008.8  # mean radius R1 of the WGS 84 ellipsoid (IUGG)


class Finding(NamedTuple):
    """A broken rule: what is wrong, at which field, with which value."""

    problem: PydanticCustomError
    loc: tuple[int | str, ...]
    value: Any


def refusal(findings: Sequence[Finding], error: ValidationError | None = None) -> ValidationError:
    """The findings, after the errors that Pydantic found itself, as one error.

    A `ValidationError` raised inside a validator keeps its locations, below the field
    that is being validated (pydantic-core turns it back into line errors).
    """
    own = [InitErrorDetails(type=f.problem, loc=f.loc, input=f.value) for f in findings]
    found = [] if error is None else [_again(dict(e)) for e in error.errors(include_url=False)]
    return ValidationError.from_exception_data("RouteRequest", found + own)


def _again(error: dict[str, Any]) -> InitErrorDetails:
    """A line error of a caught ValidationError, to be raised once more."""
    message = str(error["msg"]).replace("{", "(").replace("}", ")")
    return InitErrorDetails(
        type=PydanticCustomError(error["type"], message),
        loc=error["loc"],
        input=error["input"],
    )


def of_shape(data: Any, fewest: int, most: int) -> list[Finding]:
    """Rules that need only the shape of the body: counts, ids, sizes of the matrix.

    Args:
        data: the body as it came: a mapping, or a request.
        fewest: least number of stops.
        most: largest number of stops; beyond it the fields say so themselves.
    """
    if not isinstance(data, Mapping | BaseModel):
        return []
    stops = _member(data, "stops", [])
    if not isinstance(stops, list) or len(stops) > most:
        return []
    return list(
        chain(
            _too_few(stops, fewest),
            _same_ids(stops),
            _too_many_windows(stops),
            _matrix_sizes(_member(data, "matrix"), len(stops), _member(data, "end")),
            _no_weight(_member(data, "objective")),
        )
    )


def of_sense(request: RouteRequest) -> list[Finding]:
    """Windows of required stops that no order can reach in time.

    Sound for every matrix: an own matrix is searched for detours that are quicker than
    the direct way, and without one a speed is assumed that no road offers.
    """
    found = []
    reach: list[int] | None = None
    for i, stop in enumerate(request.stops):
        if not stop.required or not stop.windows:
            continue
        last = max(range(len(stop.windows)), key=lambda k: stop.windows[k].end)
        left_s = (stop.windows[last].end - request.depart_at).total_seconds()
        if left_s >= 0 and left_s >= _direct_s(request, i, stop):
            continue
        if left_s >= 0 and request.matrix is not None:
            reach = reach or _quickest(request.matrix.durations_s)
            if left_s >= reach[i + 1]:
                continue
        found.append(_missed(i, last, stop, left_s))
    return found


def _member(data: Any, name: str, default: Any = None) -> Any:
    return data.get(name, default) if isinstance(data, Mapping) else getattr(data, name, default)


def _too_few(stops: list[Any], fewest: int) -> Iterator[Finding]:
    if len(stops) < fewest:
        problem = PydanticCustomError(
            "too_short", "A route has at least {fewest} stops", {"fewest": fewest}
        )
        yield Finding(problem, ("stops",), stops)


def _same_ids(stops: list[Any]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for i, stop in enumerate(stops):
        stop_id = _member(stop, "id")
        if isinstance(stop_id, str) and first.setdefault(stop_id, i) != i:
            problem = PydanticCustomError(
                "stop_id_taken", "Stop {first} has this id too", {"first": first[stop_id]}
            )
            yield Finding(problem, ("stops", i, "id"), stop_id)


def _too_many_windows(stops: list[Any]) -> Iterator[Finding]:
    windows = [_member(stop, "windows") for stop in stops]
    total = sum(len(w) for w in windows if isinstance(w, list))
    if total > MAX_WINDOWS_IN_ALL:
        problem = PydanticCustomError(
            "too_many_windows",
            "At most {most} windows in all, not {total}",
            {"most": MAX_WINDOWS_IN_ALL, "total": total},
        )
        yield Finding(problem, ("stops",), total)


def _matrix_sizes(matrix: Any, stops: int, end: Any) -> Iterator[Finding]:
    if matrix is None:
        return
    size = 1 + stops + (0 if end is None or isinstance(end, str) else 1)
    for name in ("durations_s", "distances_m"):
        table = _member(matrix, name)
        if not isinstance(table, list):
            continue
        if len(table) != size:
            yield _wrong_size(("matrix", name), "rows", size, len(table))
        for i, row in enumerate(table[:size]):
            if isinstance(row, list) and len(row) != size:
                yield _wrong_size(("matrix", name, i), "cells", size, len(row))


def _wrong_size(loc: tuple[int | str, ...], what: str, size: int, found: int) -> Finding:
    problem = PydanticCustomError(
        "matrix_size",
        "{size} {what} are needed (start, stops, end if it is a place), not {found}",
        {"size": size, "what": what, "found": found},
    )
    return Finding(problem, loc, found)


def _no_weight(objective: Any) -> Iterator[Finding]:
    if objective is None:
        return
    weights = [_member(objective, name) for name in ("driving", "elapsed", "distance")]
    if weights[0] == 0 and all(w is None or w == 0 for w in weights[1:]):
        problem = PydanticCustomError("no_weight", "At least one weight must be greater than 0")
        yield Finding(problem, ("objective",), weights)


def _direct_s(request: RouteRequest, i: int, stop: Stop) -> float:
    if request.matrix is not None:
        return request.matrix.durations_s[0][i + 1]
    start = request.start
    return straight_m(start.lat, start.lon, stop.lat, stop.lon) / UNREACHABLE_M_PER_S


def straight_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance in metres between two points in degrees (haversine formula)."""
    p1, p2 = math.radians(lat1), math.radians(lat2)
    dp, dl = p2 - p1, math.radians(lon2 - lon1)
    h = math.sin(dp / 2) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(dl / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def _quickest(durations: list[list[int]]) -> list[int]:
    """Seconds from node 0 to each node by any way (Dijkstra 1959): service left out."""
    best = list(durations[0])
    best[0] = 0
    queue = [(d, node) for node, d in enumerate(best)]
    heapq.heapify(queue)
    while queue:
        so_far, node = heapq.heappop(queue)
        if so_far > best[node]:
            continue
        for other, d in enumerate(durations[node]):
            if other != node and so_far + d < best[other]:
                best[other] = so_far + d
                heapq.heappush(queue, (best[other], other))
    return best


def _missed(i: int, window: int, stop: Stop, left_s: float) -> Finding:
    if left_s < 0:
        problem = PydanticCustomError(INFEASIBLE, "This window ends before the departure")
    else:
        problem = PydanticCustomError(
            INFEASIBLE,
            "This window ends {left} after the departure, too early even for driving there first",
            {"left": str(timedelta(seconds=int(left_s)))},
        )
    return Finding(problem, ("stops", i, "windows", window, "end"), stop.windows[window].end)

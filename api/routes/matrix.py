"""Driving times and distances between a few places, at once and offline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request

from api.deps import CurrentUser, Process
from api.limits import Rule
from api.schemas.base import One
from api.schemas.matrix import MatrixRead, MatrixWarning
from core.errors import Invalid

router = APIRouter(prefix="/matrix", tags=["matrix"])

MIN_POINTS, MAX_POINTS = 2, 25
#: A matrix costs some 30 ms of a core; a map that is dragged about asks twice a second.
MATRICES = Rule("matrices", 120, 60)
#: They compute in threads, and no more at once than leave the event loop its share.
AT_ONCE = anyio.CapacityLimiter(2)

_NUMBER = re.compile(r"[+-]?\d{1,3}(\.\d{1,15})?")

Points = Annotated[
    str,
    Query(
        description=f"`lat,lon;lat,lon;…`: {MIN_POINTS} to {MAX_POINTS} places in degrees.",
        examples=["-33.8688,151.2093;-37.8136,144.9631"],
        max_length=1000,
    ),
]


@router.get(
    "",
    response_model=One[MatrixRead],
    responses={429: {"$ref": "#/components/responses/TooManyRequests"}},
)
async def matrix(
    request: Request,
    process: Process,
    user: CurrentUser,
    points: Points,
    _profile: Annotated[
        Literal["driving"], Query(alias="profile", description="How one travels.")
    ] = "driving",
) -> One[MatrixRead]:
    """Estimate durations and distances between all places, by car.

    Computed offline on the spot, from the highway graph or else the straight line: it asks no
    other service, so it is quick and free. A plan (`POST /routes`) may use better roads.
    """
    process.limiter.check_writes(request, user.id, MATRICES)
    places = _places(points)
    return One(data=await anyio.to_thread.run_sync(_estimate, places, limiter=AT_ONCE))


def _places(points: str) -> list[tuple[float, float]]:
    """The (lat, lon) pairs of the query.

    Raises:
        Invalid: names every wrong pair, and a wrong number of them.
    """
    texts = points.split(";")
    wrong: dict[str, list[str]] = {}
    if not MIN_POINTS <= len(texts) <= MAX_POINTS:
        wrong["points"] = [f"Give {MIN_POINTS} to {MAX_POINTS} places, not {len(texts)}"]
    places = []
    for i, text in enumerate(texts[:MAX_POINTS]):
        place = _place(text)
        if place is None:
            wrong[f"points.{i}"] = ["Give lat,lon in degrees: -90 to 90, -180 to 180"]
        else:
            places.append(place)
    if wrong:
        raise Invalid("Some points are not valid", field_errors=wrong)
    return places


def _place(text: str) -> tuple[float, float] | None:
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
        return None
    lat, lon = map(float, numbers)
    return (lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


def _estimate(places: Sequence[tuple[float, float]]) -> MatrixRead:
    # numpy and the graph are loaded by the first caller: no other request needs them
    from services.roads import Highways

    table = Highways().table(places)
    return MatrixRead.model_validate(
        {
            "durations_s": table.durations_s.tolist(),
            "distances_m": table.distances_m.tolist(),
            "source": table.source,
            "error_p90": table.error_p90,
            "attribution": table.attribution,
            "warnings": [MatrixWarning(code=r.code, detail=r.detail) for r in table.remarks],
        }
    )

"""The stops of a trip: add, list, read, change, move, remove, reorder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response

from api.answers import (
    CREATED,
    UNCHANGED,
    Idempotent,
    IfMatch,
    IfNoneMatch,
    made,
    many,
    one,
)
from api.deps import CurrentUser, Db, PageQuery
from api.merge import revised
from api.schemas.base import One, Page, Paging
from api.schemas.trips import StopNew, StopOrder, StopPatch, StopRead, StopsNew, stop_shown
from core.database import perform_async
from services.trips import stops, views
from tasks.plan_route.contract import MAX_STOPS

router = APIRouter(prefix="/trips/{trip_id}", tags=["trips"])

#: All stops of a trip fit on it: answers that change many of them show them all.
ONE_PAGE = Paging(page=1, page_size=MAX_STOPS)


@router.post("/stops", status_code=201, response_model=One[StopRead], responses=CREATED)
async def add_stop(
    trip_id: UUID, new: StopNew, user: CurrentUser, db: Db, once: Idempotent, versions: IfMatch
) -> Response:
    """Add a stop, at the end or at a position; those behind it move down.

    A stop's ETag is the version of its trip.
    """
    steps = stops.add(
        user.id,
        trip_id,
        [new.columns()],
        at=new.position,
        most=MAX_STOPS,
        versions=versions,
        key=once.key(new.model_dump(mode="json")),
    )
    result = await perform_async(db, steps)
    stop, version = await perform_async(db, views.read_stop(user.id, trip_id, result.id))
    location = f"/api/v1/trips/{trip_id}/stops/{stop.id}"
    headers = made(location, replayed=result.replayed)
    return one(stop_shown(stop), version=version, status=201, headers=headers)


@router.post("/stops/bulk", status_code=201, response_model=Page[StopRead], responses=CREATED)
async def add_stops(
    trip_id: UUID, new: StopsNew, user: CurrentUser, db: Db, once: Idempotent, versions: IfMatch
) -> Response:
    """Add up to 500 stops at once, all or none; answers with all stops of the trip in order."""
    steps = stops.add(
        user.id,
        trip_id,
        [stop.model_dump(mode="json") for stop in new.stops],
        at=new.position,
        most=MAX_STOPS,
        versions=versions,
        key=once.key(new.model_dump(mode="json")),
    )
    result = await perform_async(db, steps)
    headers = made(f"/api/v1/trips/{trip_id}/stops", replayed=result.replayed)
    return await _all_stops(trip_id, user, db, status=201, headers=headers)


async def _all_stops(
    trip_id: UUID,
    user: CurrentUser,
    db: Db,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    found, total = await perform_async(
        db, views.page_of_stops(user.id, trip_id, limit=MAX_STOPS, offset=0)
    )
    shown = [stop_shown(stop) for stop in found]
    return many(shown, total, ONE_PAGE, status=status, headers=headers)


@router.get("/stops", response_model=Page[StopRead])
async def list_stops(
    trip_id: UUID,
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    sort: Literal["position", "-position"] = "position",
) -> Response:
    """The stops of a trip in order."""
    steps = views.page_of_stops(
        user.id,
        trip_id,
        limit=paging.page_size,
        offset=paging.offset,
        last_first=sort == "-position",
    )
    found, total = await perform_async(db, steps)
    return many([stop_shown(stop) for stop in found], total, paging)


@router.put("/stop-order", response_model=Page[StopRead])
async def reorder_stops(
    trip_id: UUID, order: StopOrder, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Put all stops into a new order; answers with them all."""
    await perform_async(db, stops.reorder(user.id, trip_id, order.stop_ids, versions))
    return await _all_stops(trip_id, user, db)


@router.get("/stops/{stop_id}", response_model=One[StopRead], responses=UNCHANGED)
async def read_stop(
    trip_id: UUID, stop_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch
) -> Response:
    """One stop. Its ETag is the version of its trip."""
    stop, version = await perform_async(db, views.read_stop(user.id, trip_id, stop_id))
    return known.unchanged(version) or one(stop_shown(stop), version=version)


@router.patch("/stops/{stop_id}", response_model=One[StopRead])
async def change_stop(
    trip_id: UUID,
    stop_id: UUID,
    patch: StopPatch,
    user: CurrentUser,
    db: Db,
    versions: IfMatch,
) -> Response:
    """Change the fields that are sent (RFC 7396); a `position` moves the stop."""

    def revise(stop: views.StopView) -> tuple[dict[str, object], int | None]:
        new: StopNew = revised(StopNew, stop.written(), patch)
        return new.columns(), new.position

    steps = stops.change(user.id, trip_id, stop_id, revise, versions)
    stop, version = await perform_async(db, steps)
    return one(stop_shown(stop), version=version)


@router.delete("/stops/{stop_id}", status_code=204)
async def remove_stop(
    trip_id: UUID, stop_id: UUID, user: CurrentUser, db: Db, versions: IfMatch
) -> None:
    """Remove a stop; those behind it move up."""
    await perform_async(db, stops.remove(user.id, trip_id, stop_id, versions))

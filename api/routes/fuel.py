"""Fuel fills of a vehicle, and what it burns: from full tank to full tank."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.answers import CREATED, UNCHANGED, Idempotent, IfMatch, IfNoneMatch, made, many, one
from api.deps import CurrentUser, Db, PageQuery
from api.merge import revised
from api.periods import From, To, period
from api.schemas.base import One, Page
from api.schemas.economy import EconomyRead, economy_shown
from api.schemas.fuel import FillNew, FillPatch, FillRead, fill_shown
from core.database import perform_async
from services.vehicles import fill_views, fills, views
from services.vehicles.economy import economy, legs, stretches
from services.vehicles.fill_views import FillView
from tasks.plan_route.contract.values import Zone

router = APIRouter(prefix="/vehicles/{vehicle_id}", tags=["vehicles"])

Sort = Literal["-filled_at", "filled_at", "-odometer_m", "odometer_m", "-created_at", "created_at"]

NEEDED: dict[int | str, dict[str, Any]] = {
    409: {
        "$ref": "#/components/responses/Conflict",
        "description": "The fill records a reset from which the next one counts "
        "(`ODOMETER_RESET_NEEDED`).",
    }
}


async def _shown(user_id: UUID, found: list[FillView], db: AsyncSession) -> list[dict[str, Any]]:
    """Fills of one vehicle with what was driven up to each, and burnt."""
    if not found:
        return []
    newest = max(fill.filled_at for fill in found)
    steps = fill_views.history(user_id, found[0].vehicle_id, until=newest)
    known = await perform_async(db, steps)
    driven, ended = legs(known), {each.end.id: each for each in stretches(known)}
    return [fill_shown(fill, driven, ended) for fill in found]


@router.post("/fuel-fills", status_code=201, response_model=One[FillRead], responses=CREATED)
async def add_fill(
    vehicle_id: UUID, new: FillNew, user: CurrentUser, db: Db, once: Idempotent, versions: IfMatch
) -> Response:
    """Add a fill, at its place in time. A fill's ETag is the version of its vehicle."""
    key = once.key(new.model_dump(mode="json"))
    steps = fills.add(user.id, vehicle_id, new.columns(), versions, key=key)
    result = await perform_async(db, steps)
    fill, vehicle = await perform_async(db, fill_views.read(user.id, vehicle_id, result.id))
    location = f"/api/v1/vehicles/{vehicle_id}/fuel-fills/{fill.id}"
    headers = made(location, replayed=result.replayed)
    [shown] = await _shown(user.id, [fill], db)
    return one(shown, version=vehicle.version, status=201, headers=headers)


@router.get("/fuel-fills", response_model=Page[FillRead])
async def list_fills(
    vehicle_id: UUID,
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    since: From = None,
    until: To = None,
    zone: Zone = "UTC",
    full: bool | None = None,
    trip_id: UUID | None = None,
    station: Annotated[str | None, Query(max_length=200, description="A part of it.")] = None,
    sort: Sort = "-filled_at",
) -> Response:
    """What went into a vehicle, newest first, each with the economy of the stretch it ended."""
    first, last = period(since, until, zone)
    which = fill_views.Filter(first, last, full, trip_id, station, sort)
    steps = fill_views.page(
        user.id, vehicle_id, which, limit=paging.page_size, offset=paging.offset
    )
    found, total = await perform_async(db, steps)
    return many(await _shown(user.id, found, db), total, paging)


@router.get("/fuel-fills/{fill_id}", response_model=One[FillRead], responses=UNCHANGED)
async def read_fill(
    vehicle_id: UUID, fill_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch
) -> Response:
    """One fill. Its ETag is the version of its vehicle."""
    fill, vehicle = await perform_async(db, fill_views.read(user.id, vehicle_id, fill_id))
    if unchanged := known.unchanged(vehicle.version):
        return unchanged
    [shown] = await _shown(user.id, [fill], db)
    return one(shown, version=vehicle.version)


@router.patch("/fuel-fills/{fill_id}", response_model=One[FillRead], responses=NEEDED)
async def change_fill(
    vehicle_id: UUID,
    fill_id: UUID,
    patch: FillPatch,
    user: CurrentUser,
    db: Db,
    versions: IfMatch,
) -> Response:
    """Change the fields that are sent (RFC 7396); `null` resets.

    Of price and total only what was sent once is kept, and the other follows anew: to say the
    total of a fill that was sent with its price, send `price_per_l: null` along.
    """

    def revise(fill: FillView) -> dict[str, Any]:
        new: FillNew = revised(FillNew, fill.written(), patch)
        return new.columns()

    steps = fills.change(user.id, vehicle_id, fill_id, revise, versions)
    fill, vehicle = await perform_async(db, steps)
    [shown] = await _shown(user.id, [fill], db)
    return one(shown, version=vehicle.version)


@router.delete("/fuel-fills/{fill_id}", status_code=204, responses=NEEDED)
async def remove_fill(
    vehicle_id: UUID, fill_id: UUID, user: CurrentUser, db: Db, versions: IfMatch
) -> None:
    """Remove a fill. Where fuel really went in, the next one was `missed_before` from now on."""
    await perform_async(db, fills.remove(user.id, vehicle_id, fill_id, versions))


@router.get("/economy", response_model=One[EconomyRead], responses=UNCHANGED)
async def read_economy(
    vehicle_id: UUID,
    user: CurrentUser,
    db: Db,
    known: IfNoneMatch,
    since: From = None,
    until: To = None,
    zone: Zone = "UTC",
) -> Response:
    """Distance, fuel, money and consumption of a vehicle over [from, to), or in all.

    Consumption is measured from full tank to full tank: partial fills in between add up, a missed
    fill or an odometer that was reset breaks the chain.
    """
    first, last = period(since, until, zone)
    vehicle = await perform_async(db, views.RECORDS.read(user.id, vehicle_id))
    if unchanged := known.unchanged(vehicle.version):
        return unchanged
    known_fills = await perform_async(db, fill_views.history(user.id, vehicle_id, until=last))
    shown = economy_shown(economy(known_fills, first, last), first, last)
    return one(shown, version=vehicle.version)

"""Mileage of a vehicle: drives for a purpose, and their sums."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.answers import CREATED, UNCHANGED, Idempotent, IfMatch, IfNoneMatch, made, many, one
from api.deps import CurrentUser, Db, PageQuery
from api.merge import revised
from api.schemas.base import One
from api.schemas.mileage import (
    DriveNew,
    DrivePage,
    DrivePatch,
    DriveRead,
    PurposeName,
    drive_shown,
    totals_shown,
)
from api.schemas.trips import Day
from core.database import perform_async
from core.errors import Invalid
from services.vehicles import mileage

router = APIRouter(prefix="/vehicles/{vehicle_id}/mileage", tags=["vehicles"])

Sort = Literal["-driven_on", "driven_on", "-distance_m", "distance_m", "-created_at", "created_at"]


@router.post("", status_code=201, response_model=One[DriveRead], responses=CREATED)
async def add_mileage(
    vehicle_id: UUID, new: DriveNew, user: CurrentUser, db: Db, once: Idempotent, versions: IfMatch
) -> Response:
    """Add a drive. Its ETag is the version of its vehicle."""
    key = once.key(new.model_dump(mode="json"))
    steps = mileage.add(user.id, vehicle_id, new.columns(), versions, key=key)
    result = await perform_async(db, steps)
    drive, vehicle = await perform_async(db, mileage.read(user.id, vehicle_id, result.id))
    location = f"/api/v1/vehicles/{vehicle_id}/mileage/{drive.id}"
    headers = made(location, replayed=result.replayed)
    return one(drive_shown(drive), version=vehicle.version, status=201, headers=headers)


@router.get("", response_model=DrivePage)
async def list_mileage(
    vehicle_id: UUID,
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    since: Annotated[Day | None, Query(alias="from", description="Driven then or later.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Driven before that day.")] = None,
    purpose: PurposeName | None = None,
    sort: Sort = "-driven_on",
) -> Response:
    """The drives of [from, to), newest first, and sums of all of them by purpose and month."""
    if since is not None and until is not None and until <= since:
        raise Invalid(field_errors={"to": ["Must be after from"]})
    which = mileage.Filter(since, until, purpose, sort)
    steps = mileage.page(user.id, vehicle_id, which, limit=paging.page_size, offset=paging.offset)
    found, months = await perform_async(db, steps)
    total = sum(month.entries for month in months)
    more = {"totals": totals_shown(months)}
    return many([drive_shown(drive) for drive in found], total, paging, more=more)


@router.get("/{entry_id}", response_model=One[DriveRead], responses=UNCHANGED)
async def read_mileage(
    vehicle_id: UUID, entry_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch
) -> Response:
    """One drive. Its ETag is the version of its vehicle."""
    drive, vehicle = await perform_async(db, mileage.read(user.id, vehicle_id, entry_id))
    return known.unchanged(vehicle.version) or one(drive_shown(drive), version=vehicle.version)


@router.patch("/{entry_id}", response_model=One[DriveRead])
async def change_mileage(
    vehicle_id: UUID,
    entry_id: UUID,
    patch: DrivePatch,
    user: CurrentUser,
    db: Db,
    versions: IfMatch,
) -> Response:
    """Change the fields that are sent (RFC 7396); `null` resets.

    The distance of a drive with odometers follows from them anew.
    """

    def revise(drive: mileage.DriveView) -> dict[str, Any]:
        new: DriveNew = revised(DriveNew, drive.written(), patch)
        return new.columns()

    steps = mileage.change(user.id, vehicle_id, entry_id, revise, versions)
    drive, vehicle = await perform_async(db, steps)
    return one(drive_shown(drive), version=vehicle.version)


@router.delete("/{entry_id}", status_code=204)
async def remove_mileage(
    vehicle_id: UUID, entry_id: UUID, user: CurrentUser, db: Db, versions: IfMatch
) -> None:
    """Remove a drive."""
    await perform_async(db, mileage.remove(user.id, vehicle_id, entry_id, versions))

"""Vehicles: make, list, read, change, delete, restore."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

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
from api.schemas.base import One, Page
from api.schemas.vehicles import (
    FuelName,
    KindName,
    VehicleNew,
    VehiclePatch,
    VehicleRead,
    vehicle_shown,
)
from core.database import perform_async
from services.vehicles import views
from services.vehicles.views import RECORDS

router = APIRouter(prefix="/vehicles", tags=["vehicles"])

Sort = Literal[
    "-created_at",
    "created_at",
    "-updated_at",
    "updated_at",
    "-name",
    "name",
    "-year",
    "year",
]


@router.post("", status_code=201, response_model=One[VehicleRead], responses=CREATED)
async def create_vehicle(new: VehicleNew, user: CurrentUser, db: Db, once: Idempotent) -> Response:
    """Make a vehicle. Its log is added to it afterwards."""
    key = once.key(new.model_dump(mode="json"))
    result = await perform_async(db, RECORDS.create(user.id, new.columns(), key=key))
    vehicle = await perform_async(db, RECORDS.read(user.id, result.id))
    headers = made(f"/api/v1/vehicles/{vehicle.id}", replayed=result.replayed)
    return one(vehicle_shown(vehicle), version=vehicle.version, status=201, headers=headers)


@router.get("", response_model=Page[VehicleRead])
async def list_vehicles(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    name: Annotated[str | None, Query(max_length=200, description="A part of it.")] = None,
    kind: KindName | None = None,
    fuel_type: FuelName | None = None,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
    sort: Sort = "-created_at",
) -> Response:
    """The caller's vehicles, newest first."""
    which = views.Filter(name, kind, fuel_type, deleted, sort)
    found, total = await perform_async(
        db, views.page(user.id, which, limit=paging.page_size, offset=paging.offset)
    )
    return many([vehicle_shown(vehicle) for vehicle in found], total, paging)


@router.get("/{vehicle_id}", response_model=One[VehicleRead], responses=UNCHANGED)
async def read_vehicle(vehicle_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch) -> Response:
    """One vehicle."""
    vehicle = await perform_async(db, RECORDS.read(user.id, vehicle_id))
    return known.unchanged(vehicle.version) or one(vehicle_shown(vehicle), version=vehicle.version)


@router.patch("/{vehicle_id}", response_model=One[VehicleRead])
async def change_vehicle(
    vehicle_id: UUID, patch: VehiclePatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Change the fields that are sent (RFC 7396); `null` resets."""

    def revise(vehicle: views.VehicleView) -> dict[str, object]:
        new: VehicleNew = revised(VehicleNew, vehicle.written(), patch)
        return new.columns()

    vehicle = await perform_async(db, RECORDS.change(user.id, vehicle_id, revise, versions))
    return one(vehicle_shown(vehicle), version=vehicle.version)


@router.delete("/{vehicle_id}", status_code=204)
async def delete_vehicle(vehicle_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete a vehicle with its log; it can be restored."""
    await perform_async(db, RECORDS.delete(user.id, vehicle_id, versions))


@router.post("/{vehicle_id}/restore", response_model=One[VehicleRead])
async def restore_vehicle(vehicle_id: UUID, user: CurrentUser, db: Db) -> Response:
    """Bring a deleted vehicle back as it was. Idempotent."""
    vehicle = await perform_async(db, RECORDS.restore(user.id, vehicle_id))
    return one(vehicle_shown(vehicle), version=vehicle.version)

"""Making, changing, deleting and restoring vehicles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update

from core.database import Steps
from core.errors import PreconditionFailed
from core.ids import new_id
from services.idempotency import IdempotencyKey, take_key
from services.trips.edit import Made, Versions
from services.vehicles import views
from services.vehicles.errors import VehicleNotFound
from services.vehicles.views import VEHICLES, VehicleView


def lock(
    owner_id: UUID, vehicle_id: UUID, versions: Versions = None, *, deleted: bool = False
) -> Steps[int]:
    """Hold a vehicle until the transaction ends: who changes it or its log comes here first.

    Args:
        versions: which the caller is content with.
        deleted: whether to find it although it is deleted.

    Returns:
        Its version.

    Raises:
        VehicleNotFound
        PreconditionFailed: its version is another.
    """
    wanted = select(VEHICLES.c.version).where(
        VEHICLES.c.id == vehicle_id, VEHICLES.c.owner_id == owner_id
    )
    if not deleted:
        wanted = wanted.where(VEHICLES.c.deleted_at.is_(None))
    version = (yield wanted.with_for_update()).scalar_one_or_none()
    if version is None:
        raise VehicleNotFound
    if versions is not None and version not in versions:
        raise PreconditionFailed
    return int(version)


def touch(vehicle_id: UUID, **columns: Any) -> Steps[int]:
    """Write columns of a locked vehicle and give it the next version.

    Returns:
        That version.
    """
    written = yield (
        update(VEHICLES)
        .where(VEHICLES.c.id == vehicle_id)
        .values(version=VEHICLES.c.version + 1, updated_at=func.now(), **columns)
        .returning(VEHICLES.c.version)
    )
    return int(written.scalar_one())


def create(
    owner_id: UUID, columns: dict[str, Any], *, key: IdempotencyKey | None = None
) -> Steps[Made]:
    """Write a vehicle.

    Raises:
        KeyReused, KeyInFlight: see `take_key`.
    """
    vehicle_id = new_id()
    if key is not None:
        earlier = yield from take_key(owner_id, key, 201, vehicle_id)
        if earlier != vehicle_id:
            return Made(earlier, replayed=True)
    yield insert(VEHICLES).values(id=vehicle_id, owner_id=owner_id, **columns)
    return Made(vehicle_id)


def change(
    owner_id: UUID,
    vehicle_id: UUID,
    revise: Callable[[VehicleView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[VehicleView]:
    """Change what the owner has written; what is the same already makes no new version.

    Args:
        revise: from the vehicle as it is to its columns as they shall be.

    Raises:
        VehicleNotFound, PreconditionFailed.
    """
    yield from lock(owner_id, vehicle_id, versions)
    before = yield from views.read(owner_id, vehicle_id)
    columns = revise(before)
    if columns == before.columns():
        return before
    yield from touch(vehicle_id, **columns)
    return (yield from views.read(owner_id, vehicle_id))


def delete(owner_id: UUID, vehicle_id: UUID, versions: Versions = None) -> Steps[None]:
    """Hide a vehicle with its log.

    Raises:
        VehicleNotFound, PreconditionFailed.
    """
    yield from lock(owner_id, vehicle_id, versions)
    yield from touch(vehicle_id, deleted_at=func.now())


def restore(owner_id: UUID, vehicle_id: UUID) -> Steps[VehicleView]:
    """Bring a deleted vehicle back, log and all; one that is not deleted stays as it is.

    Raises:
        VehicleNotFound
    """
    yield from lock(owner_id, vehicle_id, deleted=True)
    vehicle = yield from views.read(owner_id, vehicle_id, deleted=True)
    if vehicle.deleted_at is None:
        return vehicle
    yield from touch(vehicle_id, deleted_at=None)
    return (yield from views.read(owner_id, vehicle_id))

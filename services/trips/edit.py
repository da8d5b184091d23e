"""Making, changing, deleting and restoring trips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update

from core.database import Steps
from core.errors import PreconditionFailed
from core.ids import new_id
from services.idempotency import IdempotencyKey, take_key
from services.trips import views
from services.trips.errors import TripNotFound
from services.trips.views import TRIPS, TripView

#: The versions that a caller is content to change; None: whichever it is.
Versions = frozenset[int] | None


@dataclass(frozen=True)
class Made:
    """Which resource a request led to. `replayed`: an earlier request with its key made it."""

    id: UUID
    replayed: bool = False


def lock(
    owner_id: UUID, trip_id: UUID, versions: Versions = None, *, deleted: bool = False
) -> Steps[int]:
    """Hold a trip until the transaction ends: whoever changes it or its stops comes here first.

    Args:
        versions: which the caller is content with.
        deleted: whether to find it although it is deleted.

    Returns:
        Its version.

    Raises:
        TripNotFound
        PreconditionFailed: its version is another.
    """
    wanted = select(TRIPS.c.version).where(TRIPS.c.id == trip_id, TRIPS.c.owner_id == owner_id)
    if not deleted:
        wanted = wanted.where(TRIPS.c.deleted_at.is_(None))
    version = (yield wanted.with_for_update()).scalar_one_or_none()
    if version is None:
        raise TripNotFound
    if versions is not None and version not in versions:
        raise PreconditionFailed
    return int(version)


def touch(trip_id: UUID, **columns: Any) -> Steps[int]:
    """Write columns of a locked trip and give it the next version.

    Returns:
        That version.
    """
    written = yield (
        update(TRIPS)
        .where(TRIPS.c.id == trip_id)
        .values(version=TRIPS.c.version + 1, updated_at=func.now(), **columns)
        .returning(TRIPS.c.version)
    )
    return int(written.scalar_one())


def create(
    owner_id: UUID, columns: dict[str, Any], *, key: IdempotencyKey | None = None
) -> Steps[Made]:
    """Write a trip.

    Raises:
        KeyReused, KeyInFlight: see `take_key`.
    """
    trip_id = new_id()
    if key is not None:
        earlier = yield from take_key(owner_id, key, 201, trip_id)
        if earlier != trip_id:
            return Made(earlier, replayed=True)
    yield insert(TRIPS).values(id=trip_id, owner_id=owner_id, **columns)
    return Made(trip_id)


def change(
    owner_id: UUID,
    trip_id: UUID,
    revise: Callable[[TripView], dict[str, Any]],
    versions: Versions = None,
) -> Steps[TripView]:
    """Change what the owner has written; what is the same already makes no new version.

    Args:
        revise: from the trip as it is to its columns as they shall be.

    Raises:
        TripNotFound, PreconditionFailed.
    """
    yield from lock(owner_id, trip_id, versions)
    before = yield from views.read(owner_id, trip_id)
    columns = revise(before)
    if columns == before.written():
        return before
    yield from touch(trip_id, **columns)
    return (yield from views.read(owner_id, trip_id))


def delete(owner_id: UUID, trip_id: UUID, versions: Versions = None) -> Steps[None]:
    """Hide a trip with its stops.

    Raises:
        TripNotFound, PreconditionFailed.
    """
    yield from lock(owner_id, trip_id, versions)
    yield from touch(trip_id, deleted_at=func.now())


def restore(owner_id: UUID, trip_id: UUID) -> Steps[TripView]:
    """Bring a deleted trip back, stops and all; one that is not deleted stays as it is.

    Raises:
        TripNotFound
    """
    yield from lock(owner_id, trip_id, deleted=True)
    trip = yield from views.read(owner_id, trip_id, deleted=True)
    if trip.deleted_at is None:
        return trip
    yield from touch(trip_id, deleted_at=None)
    return (yield from views.read(owner_id, trip_id))

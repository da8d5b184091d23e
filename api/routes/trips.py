"""Trips: make, list, read, change, delete, restore."""

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
from api.schemas.trips import Day, TripNew, TripPatch, TripRead, trip_shown
from core.database import perform_async
from services.trips import views
from services.trips.views import RECORDS

router = APIRouter(prefix="/trips", tags=["trips"])

Sort = Literal[
    "-created_at",
    "created_at",
    "-updated_at",
    "updated_at",
    "-starts_on",
    "starts_on",
    "-title",
    "title",
]


@router.post("", status_code=201, response_model=One[TripRead], responses=CREATED)
async def create_trip(new: TripNew, user: CurrentUser, db: Db, once: Idempotent) -> Response:
    """Make a trip. Its stops are added to it afterwards."""
    key = once.key(new.model_dump(mode="json"))
    result = await perform_async(db, RECORDS.create(user.id, new.columns(), key=key))
    trip = await perform_async(db, RECORDS.read(user.id, result.id))
    headers = made(f"/api/v1/trips/{trip.id}", replayed=result.replayed)
    return one(trip_shown(trip), version=trip.version, status=201, headers=headers)


@router.get("", response_model=Page[TripRead])
async def list_trips(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    title: Annotated[str | None, Query(max_length=200, description="A part of it.")] = None,
    starts_on: Day | None = None,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
    sort: Sort = "-created_at",
) -> Response:
    """The caller's trips, newest first."""
    which = views.Filter(title, starts_on, deleted, sort)
    found, total = await perform_async(
        db, views.page(user.id, which, limit=paging.page_size, offset=paging.offset)
    )
    return many([trip_shown(trip) for trip in found], total, paging)


@router.get("/{trip_id}", response_model=One[TripRead], responses=UNCHANGED)
async def read_trip(trip_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch) -> Response:
    """One trip."""
    trip = await perform_async(db, RECORDS.read(user.id, trip_id))
    return known.unchanged(trip.version) or one(trip_shown(trip), version=trip.version)


@router.patch("/{trip_id}", response_model=One[TripRead])
async def change_trip(
    trip_id: UUID, patch: TripPatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Change the fields that are sent; within objects too (RFC 7396), and `null` resets."""

    def revise(trip: views.TripView) -> dict[str, object]:
        new: TripNew = revised(TripNew, trip.written(), patch)
        return new.columns()

    trip = await perform_async(db, RECORDS.change(user.id, trip_id, revise, versions))
    return one(trip_shown(trip), version=trip.version)


@router.delete("/{trip_id}", status_code=204)
async def delete_trip(trip_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete a trip with its stops; it can be restored."""
    await perform_async(db, RECORDS.delete(user.id, trip_id, versions))


@router.post("/{trip_id}/restore", response_model=One[TripRead])
async def restore_trip(trip_id: UUID, user: CurrentUser, db: Db) -> Response:
    """Bring a deleted trip back as it was. Idempotent."""
    trip = await perform_async(db, RECORDS.restore(user.id, trip_id))
    return one(trip_shown(trip), version=trip.version)

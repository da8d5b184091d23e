"""Road trips: stops in, a job that plans the route out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from api.acceptance import ACCEPTED, Accept
from api.intake import Intake, Wanted
from api.schemas.base import One
from api.schemas.trips import stop_of_route
from core.database import Steps
from services.jobs.shown import JobRead
from services.jobs.submit import NewJob
from services.trips import plans
from tasks.plan_route.contract import PLAN_ROUTE, RouteBody, RouteRequest, TripRequest

router = APIRouter(prefix="/routes", tags=["routes"])


@router.post(
    "",
    status_code=202,
    response_model=One[JobRead],
    responses=ACCEPTED
    | {
        404: {
            "$ref": "#/components/responses/NotFound",
            "description": "There is no such trip, or it is not yours (`TRIP_NOT_FOUND`).",
        }
    },
)
async def plan_route(body: RouteBody, work: Accept) -> Response:
    """Plan the best order of the stops. Better plans stream as `job.progress` on the way.

    With a `trip_id`, the stops and whatever else is not given are the trip's. The job is tagged
    `trip:{id}`, its input is the whole request, and order and times are written to the trip
    together with the result, unless the trip has changed meanwhile (`applied`).
    """
    wanted = ROUTES.read(work.user.id, body)
    return await work.accept_wanted(PLAN_ROUTE, wanted)


def _wanted(owner_id: UUID, body: RouteRequest | TripRequest) -> Wanted:
    if not isinstance(body, TripRequest):
        return Wanted(body.model_dump(mode="json"), body.tags, body.supersedes)
    tag = f"trip:{body.trip_id}"
    return Wanted(
        # what is not sent is the trip's to say
        body.model_dump(mode="json", exclude_unset=True),
        body.tags if tag in body.tags else [*body.tags, tag],
        body.supersedes,
        partial(_fill, owner_id, body),
    )


def _fill(owner_id: UUID, body: TripRequest, new: NewJob) -> Steps[NewJob]:
    """The job with the whole request, as the trip completes it.

    Raises:
        TripNotFound
        RequestValidationError: names what the trip lacks, or what is wrong with it.
    """
    trip, stops = yield from plans.to_plan(owner_id, body.trip_id)
    try:
        request = body.filled(
            {**trip.written()}, [stop_of_route(stop) for stop in stops], trip.version
        )
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found, body=new.input) from None
    return replace(new, input=request.model_dump(mode="json"))


ROUTES: Intake[RouteRequest | TripRequest] = Intake(PLAN_ROUTE, TypeAdapter(RouteBody), _wanted)

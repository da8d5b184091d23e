"""The kind `plan_route`, wired to its roads."""

import json
from uuid import UUID

from sqlalchemy.orm import Session

from core.database import perform
from core.kind import Run
from services.jobs.claim import Claimed
from services.roads import roads_for
from services.trips.plans import PlannedVisit, apply_plan
from tasks import process
from tasks.base import job
from tasks.plan_route.contract import PLAN_ROUTE, RoutePlan, RouteRequest
from tasks.plan_route.engine import plan


def apply_to_trip(
    session: Session, claimed: Claimed, request: RouteRequest, result: RoutePlan
) -> RoutePlan:
    """Write order and times to the trip that was planned, if it is still the same."""
    if request.trip_id is None:
        return result
    visits = [PlannedVisit(UUID(v.stop_id), v.arrive_at, v.depart_at, v.day) for v in result.visits]
    steps = apply_plan(claimed.owner_id, request.trip_id, request.trip_version, visits)
    reason = perform(session, steps)
    return result.model_copy(update={"applied": reason is None, "not_applied_reason": reason})


@job(PLAN_ROUTE, keep=apply_to_trip)
def plan_route(request: RouteRequest, run: Run) -> RoutePlan:
    """Plan the route with the roads that this installation has."""
    here = process.current()
    roads = roads_for(here.settings, here.app, run.check)
    result = plan(request, run=run, roads=roads)
    drawn = json.dumps(result.geojson, separators=(",", ":")).encode()
    run.artifact("route.geojson", "application/geo+json", drawn)
    return result

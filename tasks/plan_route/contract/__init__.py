"""The typed pair of the kind `plan_route`: what a client posts and the plan that it gets."""

from core.kind import Kind, Lane
from tasks.plan_route.contract.request import (
    MAX_BUDGET_S,
    MAX_STOPS,
    MIN_STOPS,
    RouteRequest,
    Stop,
)
from tasks.plan_route.contract.result import RoutePlan
from tasks.plan_route.contract.trip import RouteBody, TripRequest
from tasks.plan_route.contract.values import INFEASIBLE

PLAN_ROUTE = Kind(
    "plan_route",
    RouteRequest,
    RoutePlan,
    lane=Lane.COMPUTE,
    # The longest budget, and room for a slow machine to build the matrix and check the plan.
    time_limit_s=MAX_BUDGET_S + 60.0,
    improves=True,
    schedulable=True,
)

__all__ = [
    "INFEASIBLE",
    "MAX_STOPS",
    "MIN_STOPS",
    "PLAN_ROUTE",
    "RouteBody",
    "RoutePlan",
    "RouteRequest",
    "Stop",
    "TripRequest",
]

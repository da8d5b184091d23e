"""The planner: from a request and the roads between its places to a checked plan."""

from tasks.plan_route.engine.planner import plan
from tasks.plan_route.engine.roads import RoadMatrix, RoadTable

__all__ = ["RoadMatrix", "RoadTable", "plan"]

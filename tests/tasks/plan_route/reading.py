"""What a test reads from a plan with days."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from tasks.plan_route.contract import RoutePlan
from tests.tasks.plan_route.days_bodies import HOUR


def nights(plan: RoutePlan) -> list[str | None]:
    return [day.night.stop_id for day in plan.days if day.night]


def driven(plan: RoutePlan) -> list[float]:
    return [day.driving_s / HOUR for day in plan.days]


def names(plan: RoutePlan) -> list[tuple[str, int | None, int | None]]:
    return [(v.code, v.day, v.by_s) for v in plan.violations]


def local(plan: RoutePlan, at: int, field: str, zone: str) -> str:
    return f"{getattr(plan.visits[at], field).astimezone(ZoneInfo(zone)):%m-%d %H:%M}"

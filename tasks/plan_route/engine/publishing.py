"""Telling the job about the best plan so far."""

from __future__ import annotations

from collections.abc import Callable

from core.kind import Progress, Run
from tasks.plan_route.contract.result import Quality
from tasks.plan_route.engine.itinerary import Itinerary
from tasks.plan_route.engine.problem import Order
from tasks.plan_route.engine.render import Renderer
from tasks.plan_route.engine.search import Publish

MAX_PROGRESS_STOPS = 80
"""Above it the plan so far is its order and totals: an event stays far below 60 kB."""

MAX_PROGRESS_DAYS = 200


def publisher(
    run: Run,
    renderer: Renderer,
    engine: str,
    itinerary: Callable[[Order], Itinerary | None],
    spent: tuple[float, float] = (0.0, 1.0),
) -> Publish:
    """What a search calls with its best order.

    Args:
        run: the job to tell.
        renderer: writes the plan.
        engine: who found it.
        itinerary: when everything of an order happens; None: cannot be said.
        spent: the shares of the whole budget at which the search begins and ends.
    """
    begin, end = spent

    def publish(order: Order, _value: int, fraction: float) -> None:
        trip = itinerary(order)
        if trip is None:
            return
        plan = renderer.plan(trip, Quality(engine=engine), explain=False)
        so_far = plan.model_dump(mode="json")
        if len(trip.stays) > MAX_PROGRESS_STOPS or len(trip.days) > MAX_PROGRESS_DAYS:
            ids = [visit.stop_id for visit in plan.visits]
            so_far = {"order": ids, "totals": so_far["totals"], "baseline": so_far["baseline"]}
        run.report(
            Progress(
                fraction=begin + fraction * (end - begin),
                stage="improving",
                message=f"best so far {plan.totals.distance_m / 1000:,.0f} km",
                data={"plan": so_far, "objective": plan.objective},
            )
        )

    return publish

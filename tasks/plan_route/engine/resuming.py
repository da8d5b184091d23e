"""Going on where an earlier attempt of the job stood: its best orders, and the budget it spent."""

from __future__ import annotations

import logging
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from core.kind import Run
from tasks.plan_route.engine.problem import Order, Problem

log = logging.getLogger(__name__)

MOST_ORDERS = 4
"""In a checkpoint: those of both searches of this attempt, and of the ones before."""


class Checkpoint(BaseModel):
    """What is saved of a search.

    Attributes:
        orders: the best order of each search of the job, as places in the list of stops from 1.
            All attempts have the same request, so these numbers mean the same to all of them.
        spent_s: seconds of the budget that led to them.
    """

    version: Literal[1] = 1
    orders: list[Order]
    spent_s: float = Field(ge=0, allow_inf_nan=False)


class Memory:
    """What a job knows of its attempts so far, and tells the next one.

    Attributes:
        orders: those of earlier attempts.
        spent_s: seconds of the budget that they took.
    """

    def __init__(self, run: Run, problem: Problem) -> None:
        self._run = run
        self._best: dict[str, Order] = {}
        found = _understood(run, problem)
        self.orders: list[Order] = found.orders if found else []
        self.spent_s: float = found.spent_s if found else 0.0
        if found:
            log.info("plan_route goes on after %.1f s of an earlier attempt", self.spent_s)

    def save(self, search: str, order: Order, spent_s: float) -> None:
        """Save the best order of one of the job's searches.

        Args:
            search: name of the search; what others found is kept.
            spent_s: seconds of the whole budget that are spent, those of earlier attempts included.
        """
        self._best[search] = order
        # until a search has found something of its own, its past stays worth keeping
        orders = [*self._best.values(), *self.orders]
        unique = list(dict.fromkeys(tuple(each) for each in orders))
        kept = [list(each) for each in unique[:MOST_ORDERS]]
        self._run.checkpoint(Checkpoint(orders=kept, spent_s=spent_s).model_dump(mode="json"))


def _understood(run: Run, problem: Problem) -> Checkpoint | None:
    """The checkpoint, unless another release wrote what this one cannot read."""
    if run.restored is None:
        return None
    try:
        found = Checkpoint.model_validate(run.restored)
    except ValidationError:
        log.warning("plan_route cannot read its checkpoint and starts afresh")
        return None
    known = range(1, problem.n + 1)
    complete = [
        order
        for order in found.orders
        if all(node in known for node in order) and problem.is_complete(order)
    ]
    return found.model_copy(update={"orders": complete})

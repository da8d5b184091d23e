"""One search under a budget: the best order so far, the proof, and who wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from core.kind import Run
from tasks.plan_route.engine.problem import Order, Problem

REPORT_EVERY_S = 0.2  # the contract of the stream: at most five improvements a second
TICK_EVERY_S = 1.0  # a progress bar should move even when nothing improves
TICKS = 40  # at most so many ticks in a long budget: each is a row of the event log

Publish = Callable[[Order, int, float], None]
"""Called with the best order, its value and the share of the budget that is spent."""

Remember = Callable[[Order, float], None]
"""Called with the best order and the seconds of the budget that are spent."""


class Search:
    """Keeps the best order that an engine offers, and says when to stop.

    Attributes:
        budget_s: seconds that the search may take.
        seed: for what is random in an engine.
        best: the best feasible order so far, if any.
        value: its value in units.
        bound: no feasible order has a smaller value, in units; None: not known.
        resumed: the best order of an earlier attempt, where one is feasible.
    """

    def __init__(
        self,
        problem: Problem,
        run: Run,
        budget_s: float,
        seed: int = 1,
        publish: Publish | None = None,
        *,
        remember: Remember | None = None,
        known: Sequence[Order] = (),
        already_s: float = 0.0,
    ) -> None:
        """
        Args:
            remember: told whatever `publish` is.
            known: orders of earlier attempts; the best of them is where the search goes on.
            already_s: seconds of the budget that they have spent.
        """
        self.problem = problem
        self.seed = seed
        self.budget_s = budget_s
        self.best: Order | None = None
        self.value: int | None = None
        self.bound: int | None = None
        self._run = run
        self._publish = publish
        self._remember = remember
        self._began = time.monotonic() - already_s
        self._tick_s = max(TICK_EVERY_S, budget_s / TICKS)
        self._reported_at = time.monotonic()
        self._unreported = False
        for order in known:
            self.offer(order)
        self.resumed = self.best

    @property
    def spent_s(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self._began

    @property
    def left_s(self) -> float:
        """Seconds of the budget that are left, never negative."""
        return max(0.0, self.budget_s - self.spent_s)

    @property
    def proven(self) -> bool:
        """Whether the best order is known to be optimal."""
        return self.value is not None and self.bound is not None and self.value <= self.bound

    def offer(self, order: Sequence[int]) -> bool:
        """Keep an order if it is complete, in time and better than the best.

        The value is computed here from the problem, never taken from the engine.
        """
        value = self.problem.value(order)
        if value is None or not self.problem.is_complete(order):
            return False
        if self.value is not None and value >= self.value:
            return False
        self.best, self.value = list(order), value
        self._unreported = True
        self._report()
        return True

    def go_on(self) -> bool:
        """Whether to search on: there is budget, no proof, and nobody asked to finish.

        Raises:
            RunStopped: the job was cancelled or taken away.
        """
        self._run.check()
        self._report()
        return not self._run.finish_requested and not self.proven and self.left_s > 0

    def _report(self) -> None:
        if self._publish is None or self.best is None or self.value is None:
            return
        silent_s = time.monotonic() - self._reported_at
        if silent_s < (REPORT_EVERY_S if self._unreported else self._tick_s):
            return
        self._reported_at = time.monotonic()
        self._unreported = False
        self._publish(self.best, self.value, min(1.0, self.spent_s / self.budget_s))
        if self._remember is not None:
            self._remember(self.best, self.spent_s)

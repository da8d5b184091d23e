"""The clock of schedules: looks once a second whose period has come, and makes its job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from uuid import UUID

from core.broker import celery_app
from core.database import Database, Role, perform
from core.kind import KINDS
from core.log import log
from core.settings import Settings
from services.jobs.submit import Limits
from services.schedules import firing
from services.schedules.firing import Fired, Kinds

#: Period of a round. Any number of these processes may run: who comes second finds nothing due.
ROUND_S = 1.0
#: Schedules that one look finds at most; the round looks again until nothing is due.
BATCH = 100


def contracts() -> Kinds:
    """The kinds that the workers of this release serve."""
    for task in celery_app.conf.imports:
        # the contract alone: engines are heavy, and nothing is run here; what has none is no kind
        contract = f"{task.rpartition('.')[0]}.contract"
        if find_spec(contract) is not None:
            import_module(contract)
    return KINDS


class Scheduler:
    """Settles the periods that have come, in a thread that holds up nothing else.

    The clock is that of Postgres, so that hosts need not agree about the time.
    """

    def __init__(
        self,
        settings: Settings,
        stop: threading.Event,
        *,
        kinds: Kinds | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """
        Args:
            kinds: that may be submitted; None takes those of this release.
            clock: the time to go by; None takes that of Postgres.
        """
        self._stop = stop
        self._kinds = contracts() if kinds is None else kinds
        self._clock = clock
        self._limits = Limits.of(settings)
        self._engine = Database(settings, Role.ENGINE, pool_size=1)
        self._app = Database(settings, Role.APP, pool_size=1)
        self._thread = threading.Thread(target=self._serve, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Wait a moment for the schedule underway; the stop event has been set."""
        if self._thread.is_alive():
            self._thread.join(2)
        self._engine.dispose()
        self._app.dispose()

    def _serve(self) -> None:
        while not self._stop.wait(ROUND_S):
            try:
                self.round()
            except Exception as error:
                log.warning("scheduling_failed", error=repr(error))

    def round(self) -> int:
        """Settle all that is due.

        Returns:
            How many jobs were made.
        """
        made, failed = 0, set[UUID]()
        while not self._stop.is_set():
            with self._engine.transaction() as session:
                found = perform(session, firing.due(BATCH + len(failed), now=self._now()))
            todo = [(owner, schedule) for owner, schedule in found if schedule not in failed]
            settled = 0
            for owner_id, schedule_id in todo:
                if self._stop.is_set():
                    return made
                fired = self._fire(owner_id, schedule_id, failed)
                settled += fired is not None
                made += fired is not None and fired.job is not None
            # what others hold at this moment is theirs
            if not settled:
                return made
        return made

    def _fire(self, owner_id: UUID, schedule_id: UUID, failed: set[UUID]) -> Fired | None:
        """Settle one period. A schedule that fails must not keep all others from their turn."""
        try:
            with self._app.transaction(owner_id) as session:
                steps = firing.fire(
                    owner_id, schedule_id, self._kinds, limits=self._limits, now=self._now()
                )
                fired = perform(session, steps)
        except Exception as error:
            failed.add(schedule_id)
            log.error("schedule_failed", schedule_id=str(schedule_id), exc_info=error)
            return None
        if fired is not None and fired.error is not None:
            log.warning("period_postponed", schedule_id=str(schedule_id), code=fired.error)
        return fired

    def _now(self) -> datetime | None:
        return self._clock() if self._clock else None

"""The lifeline: once a second it rescues, ends what is overdue, sends again, admits and prunes."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress

from core.broker import Grown
from core.database import Database, Role, perform
from core.kind import Lane
from core.log import configure_logging, log
from core.settings import Settings, get_settings
from services.jobs import children, repair
from services.jobs.admission import Caps, readmit
from services.publisher import Broker, CeleryBroker, publish_admitted, publish_deliveries
from services.webhooks.dispatch import recover
from workers.scheduling import Scheduler
from workers.sweeping import Sweeper

#: Period of the round. Any number of these processes may run: rows are skipped while locked.
ROUND_S = 1.0
#: Period of pruning. Seconds.
PRUNE_EVERY_S = 60.0
#: Longest pause after a round that failed. Seconds.
BACKOFF_CAP_S = 3.0


class Housekeeping:
    """Keeps the promise that whatever was accepted ends, with nothing but Postgres to go by."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._caps = Caps.of(settings)
        self._database = Database(settings, Role.ENGINE, pool_size=2)
        self._broker: Broker | None = None
        self._pruned_at = 0.0

    def serve(self) -> None:
        """Go round until told to stop."""
        pause = ROUND_S
        while not self._stop.wait(pause):
            try:
                self.round()
                pause = ROUND_S
            except Exception as error:
                pause = min(BACKOFF_CAP_S, pause * 1.5)
                log.warning("round_failed", error=repr(error), retry_in_s=pause)
        self._drop_broker()
        self._database.dispose()

    def round(self) -> None:
        """Repair Postgres first, which needs no broker; then feed the broker."""
        changed = self._repair()
        if changed:
            log.info("jobs_repaired", count=len(changed))
        if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
            self.prune()
            self._pruned_at = time.monotonic()
        try:
            broker = self._broker = self._broker or CeleryBroker(self._settings.redis_url)
            if changed:
                broker.hint(changed)
            for lane in Lane:
                publish_admitted(self._database, broker, lane, self._caps)
            publish_deliveries(self._database, broker)
        except Exception:
            self._drop_broker()
            raise

    def _repair(self) -> list[Grown]:
        keep_days = self._settings.keep_jobs_days
        with self._database.transaction() as session:
            changed = perform(session, repair.rescue(keep_days=keep_days))
        with self._database.transaction() as session:
            changed += perform(session, repair.end_overdue(keep_days=keep_days))
        with self._database.transaction() as session:
            mended = perform(session, children.mend(keep_days=keep_days))
        if mended.woken:
            log.error("parents_found_asleep", count=len(mended.woken))
        with self._database.transaction(durable=False) as session:
            perform(session, readmit())
            perform(session, recover())
        return changed + mended.cancelled + mended.woken

    def prune(self) -> None:
        """Delete what is past its keeping, batch by batch, so that no lock is held long."""
        while not self._stop.is_set():
            with self._database.transaction() as session:
                if not perform(session, repair.prune()):
                    return

    def _drop_broker(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            with suppress(Exception):
                broker.close()


def main() -> None:
    settings = get_settings()
    configure_logging(settings, process="housekeeping")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("housekeeping_started")
    sweeper = Sweeper(settings, stop)
    sweeper.start()
    scheduler = Scheduler(settings, stop)
    scheduler.start()
    Housekeeping(settings, stop).serve()
    scheduler.close()
    sweeper.close()
    log.info("housekeeping_ended")


if __name__ == "__main__":
    main()

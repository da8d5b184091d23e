"""What a worker does at its turning points: enter the fleet, fork, drain, leave."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from celery import signals

from core.database import store_is_away
from core.ids import new_id
from core.kind import Lane
from core.log import configure_logging, log
from core.settings import get_settings
from tasks import process
from workers.foreman import Foreman

#: How long a worker waits for Postgres before it gives up and is started again. Seconds.
ENTER_PATIENCE_S = 60.0

_foreman: Foreman | None = None


def install() -> None:
    """Connect the signals. Celery keeps weak references, so these are module functions."""
    signals.setup_logging.connect(_set_up_logging)
    signals.celeryd_after_setup.connect(_enter)
    signals.worker_ready.connect(_ready)
    for message_came in (signals.task_received, signals.task_unknown, signals.task_rejected):
        message_came.connect(_took)
    signals.worker_shutting_down.connect(_drain)
    signals.worker_process_shutdown.connect(_close_child)
    signals.worker_shutdown.connect(_leave)


def _set_up_logging(**_: Any) -> None:
    configure_logging(get_settings(), process="worker")
    # Our own lines say more of each attempt, and Celery's are written before it may start.
    for noisy in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _lane_of(worker: Any) -> Lane:
    """The one lane that a worker serves."""
    queues = list(worker.app.amqp.queues.consume_from)
    if len(queues) != 1:
        raise SystemExit(f"a worker serves exactly one lane (-Q), not {queues}")
    return Lane(queues[0])


def _enter(sender: str, instance: Any, **_: Any) -> None:
    """Before the pool starts: register, so that the first claim finds its worker alive."""
    global _foreman
    worker_id = new_id()
    os.environ[process.WORKER_ID] = str(worker_id)
    # Celery hands its options over as they came
    slots = int(instance.concurrency or os.cpu_count() or 1)
    _foreman = Foreman(get_settings(), worker_id, sender, _lane_of(instance), slots)
    give_up_at = time.monotonic() + ENTER_PATIENCE_S
    while True:
        try:
            _foreman.enter()
            return
        except Exception as error:
            if not store_is_away(error) or time.monotonic() > give_up_at:
                raise
            log.warning("store_away", error=repr(error.__class__.__name__))
            time.sleep(0.5)


def _ready(**_: Any) -> None:
    if _foreman is not None:
        _foreman.start()


def _took(**_: Any) -> None:
    if _foreman is not None:
        _foreman.took()


def _drain(**_: Any) -> None:
    """SIGTERM: Celery now waits for its runs; the foreman tells them to end or go back."""
    if _foreman is not None:
        _foreman.drain()


def _close_child(**_: Any) -> None:
    process.close()


def _leave(**_: Any) -> None:
    process.close()
    if _foreman is not None:
        _foreman.leave()

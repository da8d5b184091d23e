"""What one worker process holds for its runs: connections, an attendant, a publisher."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from uuid import UUID

from core.database import Database, Role
from core.settings import Settings, get_settings
from core.tracing import start_tracing, stop_tracing
from services.artifacts.store import open_store
from services.jobs.admission import Caps
from services.publisher import CeleryBroker, Publisher
from tasks.attendant import Attendant
from tasks.files import Files

#: Set by the parent before it forks: which incarnation the children belong to.
WORKER_ID = "WHEELS_WORKER_ID"


@dataclass(frozen=True)
class Process:
    """Made once per process, by the first job that runs in it; never shared over a fork."""

    pid: int
    worker_id: UUID
    settings: Settings
    app: Database
    engine: Database
    publisher: Publisher
    attendant: Attendant


_current: Process | None = None
_lock = threading.Lock()


def current() -> Process:
    """The holdings of this process; after a fork they are made anew."""
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid():
            _current = _make()
        return _current


def _make() -> Process:
    settings = get_settings()
    start_tracing(settings, "wheels-worker")
    # every thread of an I/O lane settles its own job; all else shares a few connections
    app = Database(settings, Role.APP, pool_size=4)
    engine = Database(settings, Role.ENGINE, pool_size=4)
    publisher = Publisher(engine, lambda: CeleryBroker(settings.redis_url), Caps.of(settings))
    files = Files(engine, open_store(settings), publisher.jobs_changed)
    return Process(
        pid=os.getpid(),
        worker_id=UUID(os.environ[WORKER_ID]),
        settings=settings,
        app=app,
        engine=engine,
        publisher=publisher,
        attendant=Attendant(engine, settings, files, publisher.jobs_changed),
    )


def close() -> None:
    """End the threads of this process and its connections."""
    global _current
    with _lock:
        process, _current = _current, None
    if process is None or process.pid != os.getpid():
        return
    process.attendant.close()
    process.publisher.close()
    process.app.dispose()
    process.engine.dispose()
    stop_tracing()

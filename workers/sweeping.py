"""The sweep of artifacts, both ways: bytes that no row names, and rows whose bytes are gone."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta

from core.database import Database, Role, perform
from core.log import log
from core.settings import Settings
from services.artifacts import rows
from services.artifacts.store import OWNERS, SHARDS, ArtifactStore, open_store, places_of
from services.receipts import storing

#: Period of a round. Seconds.
ROUND_S = 60.0
#: Shards that one round looks through: all of them have their turn in about an hour.
SHARDS_A_ROUND = 4
#: Bytes are given so long to get their row, far longer than a run tries to write it.
GRACE = timedelta(hours=1)
#: Keys of one shard that one round deletes at most; the rest waits for the next.
DELETES = 5000
#: Receipts whose time is over that one round deletes at most.
ENDINGS = 500


class Sweeper:
    """Compares store and rows, a few shards a minute, in a thread that holds up nothing else."""

    def __init__(
        self, settings: Settings, stop: threading.Event, store: ArtifactStore | None = None
    ) -> None:
        self._stop = stop
        self._keep_days = settings.keep_deleted_receipts_days
        self._store = store or open_store(settings)
        self._database = Database(settings, Role.ENGINE, pool_size=1)
        # several of these processes, or one that often restarts, should not all begin alike
        self._next = random.randrange(len(SHARDS))  # noqa: S311
        self._thread = threading.Thread(target=self._serve, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Wait a moment for the shard underway; the stop event has been set."""
        if self._thread.is_alive():
            self._thread.join(2)
        self._database.dispose()

    def _serve(self) -> None:
        while not self._stop.wait(ROUND_S):
            try:
                self.round()
            except Exception as error:
                log.warning("sweep_failed", error=repr(error))

    def round(self, shards: int = SHARDS_A_ROUND) -> None:
        """End receipts whose time is over, and look through the next few shards."""
        began, deleted, changed = time.monotonic(), 0, 0
        with self._database.transaction() as session:
            perform(session, storing.end(keep_days=self._keep_days, batch=ENDINGS))
        ours = self._is_ours()
        for _ in range(shards):
            if self._stop.is_set():
                return
            shard, self._next = SHARDS[self._next], (self._next + 1) % len(SHARDS)
            orphans, marked = self._sweep(shard, may_delete=ours)
            deleted, changed = deleted + orphans, changed + marked
        if deleted or changed:
            duration_ms = round((time.monotonic() - began) * 1000)
            log.info("artifacts_swept", deleted=deleted, marked=changed, duration_ms=duration_ms)

    def _is_ours(self) -> bool:
        """Whether no other database has rows for this store: its bytes would look like orphans."""
        with self._database.transaction() as session:
            mark = f"{OWNERS}/{perform(session, rows.database_identity())}"
        marks = {stored.key for stored in self._store.list(OWNERS)}
        if not marks:
            self._store.put(mark, b"")
            marks = {stored.key for stored in self._store.list(OWNERS)}
        if marks != {mark}:
            log.error("artifact_store_shared", own=mark, found=sorted(marks))
        return marks == {mark}

    def _sweep(self, shard: str, *, may_delete: bool) -> tuple[int, int]:
        """Bytes deleted, and rows whose mark changed."""
        before = datetime.now(UTC) - GRACE
        # rows first: a row that is there now has its bytes in the listing that follows
        with self._database.transaction() as session:
            named = perform(session, rows.of_shard(shard))
        found, orphans = set(), []
        for stored in (each for place in places_of(shard) for each in self._store.list(place)):
            found.add(stored.key)
            if stored.key not in named and stored.modified_at < before:
                orphans.append(stored.key)
        orphans = orphans[:DELETES] if may_delete else []
        self._store.delete(orphans)
        for place in places_of(shard):
            self._store.drop_partial(place, before)
        with self._database.transaction() as session:
            marked = perform(session, rows.mark_missing(shard, sorted(named - found)))
        if named - found:
            log.error("artifacts_missing", shard=shard, missing=len(named - found), of=len(named))
        return len(orphans), marked

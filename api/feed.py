"""The stream of all jobs of a user: one reader of Postgres for all who follow theirs."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.frames import BUFFER, SWEEP_EVERY_S, TERMINAL_EVENTS, Frame, frame_of
from core.database import AsyncDatabase, perform_async
from core.log import log
from services.jobs import views
from services.jobs.feed import Cursor, FeedEvent, read_feed

#: Events that one query fetches for each reader.
BATCH = 100
#: What was committed, but may not be served yet, is looked for again so soon. Seconds.
UNSEEN_S = 0.03


@dataclass(eq=False)
class Reader:
    """One client that follows the jobs of one user, from the event after `cursor` on."""

    owner_id: UUID
    tag: str | None
    cursor: Cursor
    frames: deque[Frame] = field(default_factory=deque)
    #: Whether there was more for it than it could hold.
    starved: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Feed:
    """Feeds the readers of this process."""

    def __init__(
        self,
        database: AsyncDatabase,
        render: Callable[[views.JobView], dict[str, Any]],
        lifetime_s: float,
    ) -> None:
        """
        Args:
            database: connections of role `engine`.
            render: turns a `JobView` into the job object of the contract.
            lifetime_s: a stream ends after so long, and its client resumes it. Seconds.
        """
        self._database = database
        self._render = render
        self._lifetime_s = lifetime_s
        self._readers: dict[UUID, set[Reader]] = {}
        self._dirty: set[UUID] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to read; call inside the event loop."""
        self._task = asyncio.create_task(self._pump(), name="feed")

    def end_streams(self) -> None:
        """Tell every reader to go and come back."""
        self._closing = True
        for group in self._readers.values():
            for reader in group:
                reader.ready.set()

    async def close(self) -> None:
        self.end_streams()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def mark(self, owner_ids: Iterable[UUID]) -> None:
        """The logs of these users' jobs grew."""
        for owner_id in owner_ids:
            if owner_id in self._readers:
                self._dirty.add(owner_id)
                self._wake.set()

    @property
    def open_streams(self) -> int:
        """Streams of all jobs of a user each."""
        return sum(map(len, self._readers.values()))

    @contextmanager
    def reading(self, owner_id: UUID, tag: str | None, after: Cursor) -> Iterator[Reader]:
        """Follow a user's jobs, those with a tag if one is given."""
        reader = Reader(owner_id, tag, after)
        self._readers.setdefault(owner_id, set()).add(reader)
        self.mark([owner_id])
        try:
            yield reader
        finally:
            group = self._readers[owner_id]
            group.discard(reader)
            if not group:
                del self._readers[owner_id]

    async def frames(self, reader: Reader) -> AsyncIterator[Frame]:
        """Yield a reader's events until its time is over or the process is about to end."""
        give_up_at = time.monotonic() + self._lifetime_s
        while not self._closing:
            reader.ready.clear()
            while reader.frames:
                yield reader.frames.popleft()
            if reader.starved:
                reader.starved = False
                self.mark([reader.owner_id])
            left = give_up_at - time.monotonic()
            if left <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.ready.wait(), left)

    async def _pump(self) -> None:
        """Fetch for whoever is marked, and once a second for everybody."""
        swept_at = 0.0
        while True:
            left = swept_at + SWEEP_EVERY_S - time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, left))
            self._wake.clear()
            marked, self._dirty = self._dirty, set()
            if time.monotonic() - swept_at >= SWEEP_EVERY_S:
                swept_at, marked = time.monotonic(), set(self._readers)
            try:
                await self._fetch(marked)
            except Exception as error:
                log.warning("feed_unreadable", error=repr(error))
                await asyncio.sleep(0.5)

    async def _fetch(self, marked: set[UUID]) -> None:
        hungry = []
        for reader in [one for owner_id in marked for one in self._readers.get(owner_id, ())]:
            if len(reader.frames) < BUFFER:
                hungry.append(reader)
            else:
                reader.starved = True
        if not hungry:
            return
        async with self._database.transaction() as session:
            known = [(reader.owner_id, reader.cursor) for reader in hungry]
            events, unseen = await perform_async(session, read_feed(known, limit=BATCH))
            ended = {e.cursor.job_id for e in events if e.type in TERMINAL_EVENTS}
            jobs = await perform_async(session, views.read_many(list(ended))) if ended else {}
        full = self._hand_out(hungry, events, jobs)
        self.mark(reader.owner_id for reader in full)
        late = {hungry[number].owner_id for number in unseen}
        if late:
            asyncio.get_running_loop().call_later(UNSEEN_S, self.mark, late)

    def _hand_out(
        self, hungry: list[Reader], events: list[FeedEvent], jobs: dict[UUID, views.JobView]
    ) -> list[Reader]:
        """Give everybody their events; those who got a whole batch may have more to come."""
        counts = [0] * len(hungry)
        for event in events:
            reader = hungry[event.asked]
            counts[event.asked] += 1
            reader.cursor = event.cursor
            if reader.tag is not None and reader.tag not in event.tags:
                continue
            reader.frames.append(self._frame(event, jobs))
            reader.ready.set()
        return [reader for reader, count in zip(hungry, counts, strict=True) if count == BATCH]

    def _frame(self, event: FeedEvent, jobs: dict[UUID, views.JobView]) -> Frame:
        place = event.cursor
        job = jobs.get(place.job_id) if event.type in TERMINAL_EVENTS else None
        return frame_of(
            place.job_id,
            place.seq,
            event.type,
            event.at,
            event.data,
            job=None if job is None else self._render(job),
            event_id=str(place),
        )

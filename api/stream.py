"""The stream hub: one reader of the broker and one sweep of Postgres for all who follow jobs."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.feed import Feed
from api.frames import (
    SWEEP_EVERY_S,
    TERMINAL_EVENTS,
    Follower,
    Frame,
    frame_of,
)
from core.broker import HINTS, Grown, read_hints
from core.database import AsyncDatabase, perform_async
from core.errors import AppError
from core.kind import KINDS
from core.log import log
from core.settings import Settings
from services.jobs import views

#: How often the pace of the lanes is measured anew, for estimates. Seconds.
PACE_EVERY_S = 5.0
#: Events that one query fetches for all.
BATCH = 1000
#: Streams that one user may hold open on one process.
STREAMS_PER_USER = 100


class TooManyStreams(AppError):
    """You follow too many jobs at once; close some streams."""

    status, code = 429, "TOO_MANY_STREAMS"


class Hub:
    """Feeds the followers of this process over one connection to each store."""

    def __init__(
        self, database: AsyncDatabase, settings: Settings, render: Any, feed: Feed
    ) -> None:
        """
        Args:
            database: connections of role `engine`; who may follow what is checked before.
            render: turns a `JobView` into the job object of the contract.
            feed: hears of the same hints.
        """
        self._database = database
        self._redis_url = settings.redis_url
        self._lifetime_s = settings.stream_lifetime_s
        self._render = render
        self._feed = feed
        self._followers: dict[UUID, set[Follower]] = {}
        self._streams: Counter[UUID] = Counter()
        self._dirty: set[UUID] = set()
        self._positions: dict[UUID, int] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._paced_at = 0.0
        self.closing = asyncio.Event()
        self.pace = views.UNKNOWN_PACE

    def start(self) -> None:
        """Begin to read; call inside the event loop."""
        self._tasks = [asyncio.create_task(self._read_hints()), asyncio.create_task(self._pump())]

    def end_streams(self) -> None:
        """Tell every follower to go and come back; the process is about to end."""
        self.closing.set()
        self._feed.end_streams()
        for follower in self._all():
            follower.ready.set()

    async def close(self) -> None:
        self.end_streams()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open_streams(self) -> int:
        """Streams of one job each."""
        return sum(map(len, self._followers.values()))

    @contextmanager
    def stream_of(self, user_id: UUID) -> Iterator[None]:
        """Count an open stream of a user.

        Raises:
            TooManyStreams
        """
        if self._streams[user_id] >= STREAMS_PER_USER:
            raise TooManyStreams(retry_after_s=5)
        self._streams[user_id] += 1
        try:
            yield
        finally:
            self._streams[user_id] -= 1
            if not self._streams[user_id]:
                del self._streams[user_id]

    @contextmanager
    def following(self, job_id: UUID, after: int) -> Iterator[Follower]:
        """Follow a job from the event past number `after`; `frames` yields what comes."""
        follower = Follower(job_id, after)
        self._followers.setdefault(job_id, set()).add(follower)
        self._mark([job_id])
        try:
            yield follower
        finally:
            self._forget(follower)

    async def frames(
        self, follower: Follower, *, within_s: float | None = None
    ) -> AsyncIterator[Frame]:
        """Yield a follower's events up to the terminal one.

        Ends early when the time is over or the process is about to end.
        """
        give_up_at = time.monotonic() + (self._lifetime_s if within_s is None else within_s)
        while not self.closing.is_set():
            follower.ready.clear()
            while (frame := follower.take()) is not None:
                yield frame
                if frame.terminal:
                    return
            if follower.starved:
                follower.starved = False
                self._mark([follower.job_id])
            left = give_up_at - time.monotonic()
            if left <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(follower.ready.wait(), left)

    async def ended(self, job_id: UUID, within_s: float) -> bool:
        """Wait until a job has ended, at most so many seconds."""
        with self.following(job_id, 0) as follower:
            async for frame in self.frames(follower, within_s=within_s):
                if frame.terminal:
                    return True
        return False

    def _all(self) -> Iterable[Follower]:
        return [one for group in self._followers.values() for one in group]

    def _mark(self, job_ids: Iterable[UUID]) -> None:
        for job_id in job_ids:
            if job_id in self._followers:
                self._dirty.add(job_id)
                self._wake.set()

    def _hear(self, grown: Iterable[Grown]) -> None:
        for job_id, owner_id in grown:
            self._mark([job_id])
            self._feed.mark([owner_id])

    def _forget(self, follower: Follower) -> None:
        group = self._followers.get(follower.job_id)
        if group is not None:
            group.discard(follower)
            if not group:
                del self._followers[follower.job_id]
                self._positions.pop(follower.job_id, None)

    async def _read_hints(self) -> None:
        """Mark jobs as the broker names them. All that it fails to say, the sweep finds."""
        while True:
            client = redis.Redis.from_url(
                self._redis_url,
                socket_connect_timeout=2,
                socket_timeout=None,
                health_check_interval=5,
                retry=Retry(NoBackoff(), 0),
            )
            pubsub = client.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(HINTS)
                while True:
                    message = await pubsub.get_message(timeout=5.0)
                    if message is not None:
                        self._hear(read_hints(message["data"]))
            except Exception as error:
                log.info("hints_unreadable", error=repr(error))
            finally:
                with suppress(Exception):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
                    await client.aclose()
            await asyncio.sleep(1 + random.random())  # noqa: S311

    async def _pump(self) -> None:
        """Fetch events for whoever is marked, and once a second for everybody."""
        swept_at = 0.0
        while True:
            left = swept_at + SWEEP_EVERY_S - time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, left))
            self._wake.clear()
            marked, self._dirty = self._dirty, set()
            try:
                if time.monotonic() - swept_at >= SWEEP_EVERY_S:
                    swept_at = time.monotonic()
                    marked = set(self._followers)
                    await self._sweep()
                await self._fetch(marked)
            except Exception as error:
                log.warning("events_unreadable", error=repr(error))
                await asyncio.sleep(0.5)

    async def _fetch(self, marked: set[UUID]) -> None:
        known = []
        for job_id in marked:
            hungry = []
            for follower in self._followers.get(job_id, ()):
                if follower.hungry:
                    hungry.append(follower.cursor)
                else:
                    follower.starved = True
            if hungry:
                known.append((job_id, min(hungry)))
        if not known:
            return
        async with self._database.transaction() as session:
            events = await perform_async(session, views.events_after(known, limit=BATCH))
            ended = [event.job_id for event in events if event.type in TERMINAL_EVENTS]
            jobs = await perform_async(session, views.read_many(ended)) if ended else {}
        for event in events:
            self._hand_out(event, jobs)
        if len(events) == BATCH:
            self._mark(marked)

    def _hand_out(self, event: views.Event, jobs: dict[UUID, views.JobView]) -> None:
        frame: Frame | None = None
        for follower in self._followers.get(event.job_id, ()):
            # the next number and no other: a batch may have been read for somebody behind us
            if follower.cursor + 1 != event.seq:
                continue
            if not follower.hungry:
                follower.starved = True
                continue
            frame = frame or self._frame(event, jobs)
            follower.frames.append(frame)
            follower.cursor = event.seq
            follower.hint = None  # it speaks of the time before
            follower.ready.set()

    def _frame(self, event: views.Event, jobs: dict[UUID, views.JobView]) -> Frame:
        job = jobs.get(event.job_id) if event.type in TERMINAL_EVENTS else None
        return frame_of(
            event.job_id,
            event.seq,
            event.type,
            event.at,
            event.data,
            job=None if job is None else self._render(job),
            event_id=str(event.seq),
        )

    async def _sweep(self) -> None:
        """Measure the pace, and tell those who wait how far they are."""
        if not self._followers and time.monotonic() - self._paced_at < PACE_EVERY_S:
            return
        async with self._database.transaction() as session:
            if time.monotonic() - self._paced_at >= PACE_EVERY_S:
                self.pace = await perform_async(session, views.pace(sorted(KINDS)))
                self._paced_at = time.monotonic()
            if not self._followers:
                return
            queued = await perform_async(session, views.positions(list(self._followers)))
        for spot in queued:
            if self._positions.get(spot.job_id) != spot.position:
                self._positions[spot.job_id] = spot.position
                self._hint(spot)

    def _hint(self, spot: views.Spot) -> None:
        usual = self.pace.wait_s(spot.kind, spot.lane, spot.position)
        eta_s = None if spot.paused else usual
        data = {"job_id": str(spot.job_id), "queue_position": spot.position, "eta_s": eta_s}
        for follower in self._followers.get(spot.job_id, ()):
            follower.hint = Frame(None, "job.queue", data)
            follower.ready.set()

"""The stream hub: the broker's hints for all streams, and how the events of one job are fetched."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any
from uuid import UUID

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.feed import Feed
from api.following import Following
from api.frames import TERMINAL_EVENTS, Follower, Frame, body_of
from core.broker import HINTS, Grown, read_hints
from core.database import AsyncDatabase, perform_async
from core.errors import AppError
from core.kind import KINDS
from core.log import log
from core.settings import Settings
from services.jobs import pace, views

#: Whatever the broker does, an event is seen after so long. Seconds.
SWEEP_EVERY_S = 1.0
#: How often service times are read anew, for estimates. Seconds.
TIMES_EVERY_S = 5.0
#: A look at the lanes takes at most this share of the time, however long the queues and however
#: busy the process: with thousands of queued jobs estimates are some seconds old, up to the cap.
LOOK_SHARE = 0.02
LOOK_REST_CAP_S = 4.0
#: Events that one query fetches for all.
BATCH = 1000
#: Streams that one user may hold open on one process.
STREAMS_PER_USER = 100


class TooManyStreams(AppError):
    """You follow too many jobs at once; close some streams."""

    status, code = 429, "TOO_MANY_STREAMS"


class Hub(Following):
    """Feeds those who follow one job; keys are jobs, places are numbers of events.

    It hears the hints for the feed of all jobs as well, and counts the streams of both.
    """

    unreadable = "events_unreadable"

    def __init__(self, database: AsyncDatabase, settings: Settings, render: Any) -> None:
        """See `Following`."""
        lifetime_s = settings.stream_lifetime_s
        super().__init__(database, render, lifetime_s=lifetime_s, sweep_every_s=SWEEP_EVERY_S)
        self.feed = Feed(database, render, lifetime_s=lifetime_s, sweep_every_s=SWEEP_EVERY_S)
        self._redis_url = settings.redis_url
        self._streams: Counter[UUID] = Counter()
        self._positions: dict[UUID, int] = {}
        self._times = pace.Times()
        self._timed_at = 0.0
        self.pace = pace.UNKNOWN_PACE

    def start(self, *more: Coroutine[Any, Any, None]) -> None:
        super().start(self._read_hints(), self._watch_queue(), *more)
        self.feed.start()

    def end_streams(self) -> None:
        super().end_streams()
        self.feed.end_streams()

    async def close(self) -> None:
        await super().close()
        await self.feed.close()

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

    async def ended(self, job_id: UUID, within_s: float) -> bool:
        """Wait until a job has ended, at most so many seconds."""
        with self.following(job_id, 0) as follower:
            async for frame in self.frames(follower, within_s=within_s):
                if frame.last:
                    return True
        return False

    def _hear(self, grown: Iterable[Grown]) -> None:
        for job_id, owner_id in grown:
            self._mark([job_id])
            self.feed.mark([owner_id])

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

    async def _fetch(self, hungry: list[Follower]) -> None:
        known: dict[UUID, int] = {}
        for follower in hungry:
            known[follower.key] = min(follower.cursor, known.get(follower.key, follower.cursor))
        async with self._database.transaction() as session:
            events = await perform_async(
                session, views.events_after(list(known.items()), limit=BATCH)
            )
            ended = [event.job_id for event in events if event.type in TERMINAL_EVENTS]
            jobs = await perform_async(session, views.read_many(ended)) if ended else {}
        for event in events:
            self._hand_out(event, jobs)
        if len(events) == BATCH:
            self._mark(known)

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
            follower.cursor = event.seq
            follower.give(frame)

    def _frame(self, event: views.Event, jobs: dict[UUID, views.JobView]) -> Frame:
        last = event.type in TERMINAL_EVENTS
        job = jobs.get(event.job_id) if last else None
        whole = None if job is None else self._render(job)
        body = body_of(event.job_id, event.seq, event.at, event.data, whole)
        return Frame(event.seq, event.type, body, str(event.seq), last)

    async def _watch_queue(self) -> None:
        while True:
            began = time.monotonic()
            await self._attempt(self._look_around())
            rest_s = (time.monotonic() - began) * (1 / LOOK_SHARE - 1)
            await asyncio.sleep(max(self._sweep_every_s, min(rest_s, LOOK_REST_CAP_S)))

    async def _look_around(self) -> None:
        """Look at the lanes, and tell those who wait how far they are."""
        before = {follower: follower.cursor for follower in self._all()}
        began = time.monotonic()
        async with self._database.transaction() as session:
            if began - self._timed_at >= TIMES_EVERY_S:
                self._times = await perform_async(session, pace.service_times(KINDS))
                self._timed_at = began
            sight = await perform_async(session, pace.look(list(self._followers)))
        # in a thread: for some milliseconds a lane, nobody's events wait
        self.pace = await asyncio.to_thread(sight.pace, self._times)
        told, self._positions = self._positions, {one.job_id: one.position for one in sight.spots}
        for spot in sight.spots:
            if told.get(spot.job_id) != spot.position:
                self._hint(spot, before)

    def _hint(self, spot: views.Spot, before: dict[Follower, int]) -> None:
        starts = None if spot.paused else self.pace.starts_in(spot.lane, spot.position)
        data = {
            "job_id": str(spot.job_id),
            "queue_position": spot.position,
            "eta_s": self.pace.ends_in_s(spot.kind, starts),
            "starts_in_s": starts and asdict(starts),
        }
        for follower in self._followers.get(spot.job_id, ()):
            # whoever has heard more since the queue was read may know that the job has started
            if before.get(follower) == follower.cursor:
                follower.hint = Frame(None, "job.queue", data)
                follower.wake()
            else:
                self._positions.pop(spot.job_id, None)

"""The stream of all jobs of a user: how their events are fetched, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import UUID

from api.following import Following
from api.frames import TERMINAL_EVENTS, Follower, Frame, body_of
from core.database import perform_async
from services.jobs import views
from services.jobs.feed import FeedEvent, read_feed

#: Events that one query fetches for each reader.
BATCH = 100
#: What was committed, but may not be served yet, is looked for again so soon. Seconds.
UNSEEN_S = 0.03


class Feed(Following):
    """Feeds those who follow all jobs of a user; keys are users, places are `Cursor`s."""

    unreadable = "feed_unreadable"

    def mark(self, owner_ids: Iterable[UUID]) -> None:
        """The logs of these users' jobs grew."""
        self._mark(owner_ids)

    async def _fetch(self, hungry: list[Follower]) -> None:
        async with self._database.transaction() as session:
            known = [(reader.key, reader.cursor) for reader in hungry]
            events, unseen = await perform_async(session, read_feed(known, limit=BATCH))
            ended = {e.cursor.job_id for e in events if e.type in TERMINAL_EVENTS}
            jobs = await perform_async(session, views.read_many(list(ended))) if ended else {}
        counts = [0] * len(hungry)
        for event in events:
            counts[event.asked] += 1
            self._hand_out(hungry[event.asked], event, jobs)
        # those who got a whole batch may have more to come
        self._mark(one.key for one, count in zip(hungry, counts, strict=True) if count == BATCH)
        late = {hungry[number].key for number in unseen}
        if late:
            asyncio.get_running_loop().call_later(UNSEEN_S, self._mark, late)

    def _hand_out(
        self, reader: Follower, event: FeedEvent, jobs: dict[UUID, views.JobView]
    ) -> None:
        place = event.cursor
        if place <= reader.cursor:  # mark and sweep may read the same
            return
        reader.cursor = place
        if reader.tag is not None and reader.tag not in event.tags:
            return
        job = jobs.get(place.job_id) if event.type in TERMINAL_EVENTS else None
        whole = None if job is None else self._render(job)
        body = body_of(place.job_id, place.seq, event.at, event.data, whole)
        reader.give(Frame(place.seq, event.type, body, str(place)))

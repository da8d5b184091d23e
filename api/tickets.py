"""Tickets in use: whom they speak for, and that they last as long as their streams."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from api.ending import end
from core.database import AsyncDatabase, perform_async
from core.errors import Unauthenticated
from core.log import log
from services import stream_tickets
from services.stream_tickets import Holder

#: How often the tickets of open streams are renewed, far below their idle time. Seconds.
KEEP_EVERY_S = 60.0


class OpenTickets:
    """The tickets whose streams this process holds open."""

    def __init__(self, database: AsyncDatabase) -> None:
        """
        Args:
            database: connections of role `engine`: who comes with a ticket is nobody yet.
        """
        self._database = database
        self._open: Counter[bytes] = Counter()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to renew; call inside the event loop."""
        self._task = asyncio.create_task(self._serve(), name="tickets")

    async def close(self) -> None:
        if self._task is not None:
            await end([self._task])
        # their clients come back, to this process or another
        with suppress(Exception):
            await self._keep()

    async def holder(self, ticket: str, job_id: UUID | None) -> Holder:
        """Whom a ticket speaks for.

        Args:
            job_id: the stream that it is to open; None for that of all jobs.

        Raises:
            Unauthenticated: it is none, its time is over, or it is for another stream.
        """
        async with self._database.transaction() as session:
            holder = await perform_async(session, stream_tickets.use(ticket, job_id))
        if holder is None:
            raise Unauthenticated
        return holder

    @contextmanager
    def holding(self, holder: Holder) -> Iterator[None]:
        """The stream of a ticket is open for the length of the block."""
        self._open[holder.hash] += 1
        try:
            yield
        finally:
            self._open[holder.hash] -= 1
            if not self._open[holder.hash]:
                del self._open[holder.hash]

    async def _serve(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            try:
                await self._keep()
            except Exception as error:
                log.warning("tickets_not_kept", error=repr(error))

    async def _keep(self) -> None:
        if self._open:
            async with self._database.transaction() as session:
                await perform_async(session, stream_tickets.keep(list(self._open)))

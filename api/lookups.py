"""One query for all who open a stream at one moment: after a restart, everybody does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from api.ending import end
from core.database import AsyncDatabase, perform_async
from services.jobs import views
from services.jobs.errors import JobNotFound

#: Jobs that one query reads.
BATCH = 200


@dataclass(frozen=True)
class Wish:
    """Somebody waits for a look at a job of theirs."""

    owner_id: UUID
    job_id: UUID
    answer: asyncio.Future[views.JobView]


class Lookups:
    """Reads jobs for their owners; who asks while a query runs is served by the next."""

    def __init__(self, database: AsyncDatabase) -> None:
        """
        Args:
            database: connections of role `engine`; the query compares the owner.
        """
        self._database = database
        self._wishes: list[Wish] = []
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._task is not None:
            await end([self._task])

    async def job(self, owner_id: UUID, job_id: UUID) -> views.JobView:
        """One job of its owner.

        Raises:
            JobNotFound: it is not there, or another's.
            Exception: the store's.
        """
        wish = Wish(owner_id, job_id, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve(), name="lookups")
        return await wish.answer

    async def _serve(self) -> None:
        while self._wishes:
            wishes, self._wishes = self._wishes[:BATCH], self._wishes[BATCH:]
            try:
                found = await self._read(wishes)
            except Exception as error:
                for wish in wishes:
                    if not wish.answer.done():
                        wish.answer.set_exception(error)
                continue
            for wish in wishes:
                if wish.answer.done():  # the client has gone meanwhile
                    continue
                view = found.get((wish.owner_id, wish.job_id))
                if view is None:
                    wish.answer.set_exception(JobNotFound())
                else:
                    wish.answer.set_result(view)

    async def _read(self, wishes: list[Wish]) -> dict[tuple[UUID, UUID], views.JobView]:
        wanted = {(wish.owner_id, wish.job_id) for wish in wishes}
        async with self._database.transaction() as session:
            return await perform_async(session, views.read_of_owners(wanted))

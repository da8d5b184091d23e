"""Following logs that grow: one reader of Postgres for all who follow them on this process."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

from api.ending import end
from api.frames import Follower, Frame
from core.database import AsyncDatabase
from core.log import log
from services.jobs import views

#: Keys that one query of the sweep asks for. The sweep of thousands is cut into slices over
#: its second, or each would hold up whatever happens meanwhile.
SLICE = 200
#: Rest after a store could not be read. Seconds.
PAUSE_S = 0.5


class Following(ABC):
    """Keeps the followers of this process and feeds them: at once when marked, else by a sweep."""

    #: What the log calls it when it cannot read.
    unreadable: str

    def __init__(
        self,
        database: AsyncDatabase,
        render: Callable[[views.JobView], dict[str, Any]],
        *,
        lifetime_s: float,
        sweep_every_s: float,
    ) -> None:
        """
        Args:
            database: connections of role `engine`; who may follow what is checked before.
            render: turns a `JobView` into the job object of the contract.
            lifetime_s: a stream ends after so long, and its client resumes it. Seconds.
            sweep_every_s: everybody is looked after so often, whatever is marked. Seconds.
        """
        self._database = database
        self._render = render
        self.lifetime_s = lifetime_s
        self._sweep_every_s = sweep_every_s
        self._followers: dict[UUID, set[Follower]] = {}
        self._marked: set[UUID] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.closing = False

    @abstractmethod
    async def _fetch(self, hungry: list[Follower]) -> None:
        """Read what lies past these followers' places, and `give` it to them."""

    def start(self, *more: Coroutine[Any, Any, None]) -> None:
        """Begin to read; call inside the event loop."""
        self._tasks = [asyncio.create_task(one) for one in (self._pump(), self._sweep(), *more)]

    def end_streams(self) -> None:
        """Tell every follower to go and come back; the process is about to end."""
        self.closing = True
        for follower in self._all():
            follower.wake()

    async def close(self) -> None:
        self.end_streams()
        await end(self._tasks)

    @property
    def open_streams(self) -> int:
        """Followers at this moment."""
        return sum(map(len, self._followers.values()))

    def _mark(self, keys: Iterable[UUID]) -> None:
        """What these keys name has grown."""
        for key in keys:
            if key in self._followers:
                self._marked.add(key)
                self._wake.set()

    @contextmanager
    def following(self, key: UUID, after: Any, *, tag: str | None = None) -> Iterator[Follower]:
        """Follow what `key` names from the event past the place `after`."""
        follower = Follower(key, after, tag)
        self._followers.setdefault(key, set()).add(follower)
        self._mark([key])
        try:
            yield follower
        finally:
            group = self._followers[key]
            group.discard(follower)
            if not group:
                del self._followers[key]

    def take(self, follower: Follower) -> Frame | None:
        """The next frame for a follower; None when it must wait to be woken."""
        frame = follower.take()
        if frame is None and follower.starved:
            follower.starved = False
            self._mark([follower.key])
        return frame

    async def frames(
        self, follower: Follower, *, within_s: float | None = None
    ) -> AsyncIterator[Frame]:
        """Yield a follower's events up to the last one.

        Ends early when the time is over or the process is about to end.
        """
        give_up_at = time.monotonic() + (self.lifetime_s if within_s is None else within_s)
        ready = asyncio.Event()
        follower.wake = ready.set
        while not self.closing:
            ready.clear()
            while (frame := self.take(follower)) is not None:
                yield frame
                if frame.last:
                    return
            left = give_up_at - time.monotonic()
            if left <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(ready.wait(), left)

    def _all(self) -> Iterable[Follower]:
        return [one for group in self._followers.values() for one in group]

    async def _pump(self) -> None:
        """Fetch for whoever is marked."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            marked, self._marked = self._marked, set()
            await self._attempt(self._serve(marked))

    async def _sweep(self) -> None:
        """Fetch for everybody, whether marked or not, slice after slice."""
        while True:
            due = time.monotonic()
            keys = list(self._followers)
            starts = range(0, len(keys) or 1, SLICE)
            for start in starts:
                await self._attempt(self._serve(keys[start : start + SLICE]))
                due += self._sweep_every_s / len(starts)
                await asyncio.sleep(due - time.monotonic())

    async def _attempt(self, reading: Coroutine[Any, Any, None]) -> None:
        try:
            await reading
        except Exception as error:
            log.warning(self.unreadable, error=repr(error))
            await asyncio.sleep(PAUSE_S)

    async def _serve(self, keys: Iterable[UUID]) -> None:
        hungry = []
        for follower in [one for key in keys for one in self._followers.get(key, ())]:
            if follower.hungry:
                hungry.append(follower)
            else:
                follower.starved = True
        if hungry:
            await self._fetch(hungry)

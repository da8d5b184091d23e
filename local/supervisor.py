"""Brings a stack up in order of readiness, watches it, and takes it down in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.keeper import Keeper, Ward
from local.lastwords import last_words
from local.program import Program

READY_TIMEOUT_S = 60.0
# together with the servers' time this stays below the 15 s in which everything is gone
APP_GRACE_S = 10.0
SERVER_GRACE_S = 3.0
TRIES_BEFORE_READY = 3
# make passes on a signal that its whole process group was sent: the second is the first again
SAME_WISH_S = 1.0
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartFailed(RuntimeError):
    """Something that the rest needs did not come up."""


@dataclass(frozen=True)
class Plan:
    """What runs: servers first, then steps to their end, then the applications all at once."""

    servers: Sequence[Program]
    steps: Sequence[Program]
    apps: Sequence[Program]


class Supervisor:
    """One run of a plan."""

    def __init__(
        self,
        plan: Plan,
        ward: Ward,
        *,
        on_ready: Callable[[], None] = lambda: None,
        beside: Callable[[Sequence[Keeper]], Sequence[Coroutine[Any, Any, None]]] = lambda _: (),
    ) -> None:
        """`beside` gives what runs next to the processes, such as the watch for changed files."""
        self.ward = ward
        self.servers = [Keeper(program, ward) for program in plan.servers]
        self.steps = [Keeper(program, ward) for program in plan.steps]
        self.apps = [Keeper(program, ward) for program in plan.apps]
        self._on_ready = on_ready
        self._beside = beside
        self._stop = asyncio.Event()
        self._asked = 0.0

    async def run(self) -> int:
        """Returns the exit code: 0 after being asked to stop, 1 when the start failed."""
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self.stop)
        stopped = asyncio.create_task(self._stop.wait())
        started = asyncio.create_task(self._bring_up())
        code = 0
        await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if started.done() and (failure := started.exception()):
            if not isinstance(failure, StartFailed | OSError):
                raise failure
            self.ward.say("stack", str(failure))
            code = 1
        elif started.done():
            beside = [asyncio.create_task(work) for work in self._beside(self.apps)]
            await stopped
            await _cancel(beside)
        await _cancel([started, stopped])
        await self._take_down()
        for number in STOPPING:
            loop.remove_signal_handler(number)
        return code

    def stop(self) -> None:
        """What Ctrl-C does: once asks, twice kills."""
        now = time.monotonic()
        if not self._stop.is_set():
            self._asked = now
            self._stop.set()
        elif now - self._asked > SAME_WISH_S:
            self.ward.say("stack", "asked twice, killing everything")
            for keeper in (*self.apps, *self.steps, *self.servers):
                keeper.kill()

    async def _bring_up(self) -> None:
        for keeper in self.servers:
            keeper.start()
        await asyncio.gather(*(self._until_ready(keeper) for keeper in self.servers))
        for step in self.steps:
            unneeded = step.program.unneeded
            if unneeded is not None and await asyncio.to_thread(unneeded):
                continue
            began = time.monotonic()
            if code := await step.once():
                raise StartFailed(f"{step.name} failed with exit code {code}\n{self._tail(step)}")
            self.ward.say(step.name, f"done ({time.monotonic() - began:.1f} s)")
        for later in (False, True):
            keepers = [keeper for keeper in self.apps if keeper.program.later is later]
            for keeper in keepers:
                keeper.start()
            await asyncio.gather(*(self._until_ready(keeper) for keeper in keepers))
        self._on_ready()

    async def _until_ready(self, keeper: Keeper) -> None:
        ready = keeper.program.ready
        if ready is None:
            return
        began = time.monotonic()
        while not await asyncio.to_thread(ready):
            waited = time.monotonic() - began
            if keeper.starts > TRIES_BEFORE_READY or waited > READY_TIMEOUT_S:
                raise StartFailed(
                    f"{keeper.name} is not ready after {waited:.0f} s\n{self._tail(keeper)}"
                )
            await asyncio.sleep(0.05)
        self.ward.say(keeper.name, f"ready ({time.monotonic() - began:.1f} s)")

    def _tail(self, keeper: Keeper) -> str:
        log = self.ward.log(keeper.name)
        return "\n".join([*(f"    {line}" for line in last_words(log)), f"    all of it: {log}"])

    async def _take_down(self) -> None:
        everything = (*self.apps, *self.steps, *self.servers)
        if not any(keeper.process for keeper in everything):
            return
        began = time.monotonic()
        # newest first; signals go out within a millisecond, the waiting is common
        leaving = [keeper.stop(APP_GRACE_S) for keeper in reversed([*self.steps, *self.apps])]
        await asyncio.gather(*leaving)
        await asyncio.gather(*(keeper.stop(SERVER_GRACE_S) for keeper in reversed(self.servers)))
        self.ward.say("stack", f"stopped ({time.monotonic() - began:.1f} s)")


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, StartFailed, OSError):
            await task


async def every(seconds: float, work: Callable[[], None]) -> None:
    """Runs small upkeep; a failure (a full disk, say) must not take the stack along."""
    while True:
        await asyncio.sleep(seconds)
        with contextlib.suppress(OSError):
            work()


async def restart_on_change(keepers: Sequence[Keeper], folders: Sequence[Path]) -> None:
    """`make dev`: new code, new worker."""
    from watchfiles import PythonFilter, awatch

    async for _ in awatch(*folders, watch_filter=PythonFilter()):
        for keeper in keepers:
            keeper.ward.say(keeper.name, "code changed, restarting")
            keeper.restart()

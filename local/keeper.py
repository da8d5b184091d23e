"""Keeps one program alive: starts it, starts it again when it dies, and ends it with its group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from local import orphans
from local.program import Program

Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Ward:
    """What all keepers of one supervisor share."""

    run: Path
    log: Callable[[str], Path]
    token: str
    say: Say
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0
    #: Having stayed up so long makes the next death a first one again.
    steady_s: float = 10.0


def describe(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class Keeper:
    """One program and its current process."""

    def __init__(self, program: Program, ward: Ward) -> None:
        self.program = program
        self.ward = ward
        self.process: Process | None = None
        self.starts = 0
        self._stopping = asyncio.Event()
        self._wanted_again = False
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name=self.name)

    async def once(self) -> int:
        """Runs a program that is meant to end, and returns its exit code."""
        return await self._end_of(await self._spawn())

    def restart(self) -> None:
        """Asks the process to stop, and replaces it at once."""
        if self.process is not None:
            self._wanted_again = True
            self._ask_to_stop(self.process.pid)

    async def stop(self, grace_s: float) -> None:
        """Asks, waits, kills."""
        self._stopping.set()
        if self.process is not None:
            self._ask_to_stop(self.process.pid)
        # a step has no task of its own: whoever awaited it was cancelled
        ending = self._task or asyncio.create_task(self._gone())
        _, pending = await asyncio.wait([ending], timeout=grace_s)
        if pending:
            self.ward.say(self.name, f"did not stop within {grace_s:g} s, killing it")
            self.kill()
            await asyncio.wait([ending], timeout=2.0)

    def kill(self) -> None:
        """Ends the process and all its descendants, for good."""
        self._stopping.set()
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            # found before the leader dies: PostgreSQL's backends have sessions of their own
            everyone = orphans.family(psutil.Process(self.process.pid))
            _signal_group(self.process.pid, signal.SIGKILL)
            orphans.kill(everyone)

    async def _gone(self) -> None:
        if self.process is not None:
            await self._end_of(self.process)

    async def _keep(self) -> None:
        pause = self.ward.first_pause_s
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                code = describe(await self._end_of(await self._spawn()))
            except OSError as error:
                code = f"does not start: {error}"
            if self._stopping.is_set():
                return
            if self._wanted_again:
                self._wanted_again = False
                continue
            if time.monotonic() - started >= self.ward.steady_s:
                pause = self.ward.first_pause_s
            self.ward.say(self.name, f"{code}; starting again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, self.ward.longest_pause_s)

    async def _spawn(self) -> Process:
        program, ward = self.program, self.ward
        if program.prepare is not None:
            program.prepare()
        options = program.options(asyncio.subprocess.DEVNULL)
        options["env"] = {**program.env, orphans.TOKEN_VARIABLE: ward.token}
        with ward.log(self.name).open("ab") as log:
            options["stdout"] = log
            process = await asyncio.create_subprocess_exec(*program.command, **options)
        self.process = process
        self.starts += 1
        # it may have ended already, and then there is nothing to note
        with contextlib.suppress(psutil.NoSuchProcess):
            orphans.Note.of(
                self.name,
                process.pid,
                ward.token,
                stop_signal=program.stop_signal,
                foundation=program.foundation,
            ).write(ward.run)
        if self._stopping.is_set():
            self._ask_to_stop(process.pid)
        return process

    async def _end_of(self, process: Process) -> int:
        code = await process.wait()
        # what the dead process had forked would go on working beside its successor
        _signal_group(process.pid, signal.SIGKILL)
        self.process = None
        orphans.forget(self.ward.run, self.name)
        return code

    def _ask_to_stop(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, self.program.stop_signal)
            os.kill(pid, signal.SIGCONT)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)

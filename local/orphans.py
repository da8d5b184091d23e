"""Notes of who was started, so that a later process can end what a dead supervisor left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# Every child carries its stack's token, which tells our leftovers from strangers.
TOKEN_VARIABLE = "WHEELS_STACK"  # noqa: S105
# The kernel's boot time, from which start times are computed, moves when the clock is set.
CLOCK_SLACK_S = 2.0
GUARD = "guard"


@dataclass(frozen=True)
class Note:
    """One started process, told apart from a later owner of its pid by its start time."""

    name: str
    pid: int
    created: float
    token: str
    stop_signal: int
    foundation: bool

    @classmethod
    def of(
        cls, name: str, pid: int, token: str, *, stop_signal: int = 0, foundation: bool = False
    ) -> Note:
        created = psutil.Process(pid).create_time()
        return cls(name, pid, created, token, stop_signal, foundation)

    def write(self, run: Path) -> None:
        part = run / f"{self.name}.part"
        part.write_text(json.dumps(asdict(self)))
        part.replace(run / f"{self.name}.json")

    def leader(self) -> psutil.Process | None:
        """The process itself, if it still lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) < CLOCK_SLACK_S and _lives(process):
                return process
        return None


def notes(run: Path) -> Iterator[Note]:
    for path in sorted(run.glob("*.json")):
        # an empty or torn note was never followed by a start
        with contextlib.suppress(OSError, ValueError, TypeError):
            yield Note(**json.loads(path.read_text()))


def forget(run: Path, name: str) -> None:
    (run / f"{name}.json").unlink(missing_ok=True)


def family(leader: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [leader, *leader.children(recursive=True)]
    return []


def left_behind(note: Note) -> list[psutil.Process]:
    """Members of a session whose leader is dead, such as the forks of a killed worker."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if psutil.Process(note.pid).status() != psutil.STATUS_ZOMBIE:
            # somebody else's by now, so the session is empty: as long as it has members the
            # kernel gives its number to nobody
            return []
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == note.pid and _token(process) == note.token:
                found.append(process)
    return found


def _token(process: psutil.Process) -> str | None:
    return process.environ().get(TOKEN_VARIABLE)


def kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def wait_gone(processes: list[psutil.Process], timeout: float) -> list[psutil.Process]:
    """Returns who is left; a zombie is gone, even where nobody collects it."""
    deadline = time.monotonic() + timeout
    while (left := [one for one in processes if _lives(one)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def end_orphans(run: Path, *, token: str | None = None, grace_s: float = 10.0) -> list[str]:
    """Ends what the notes name, politely first, and returns the names of what was still there.

    With a token, only what that supervisor started.
    """
    found = [note for note in notes(run) if note.name != GUARD and token in (None, note.token)]
    # a worker hands its jobs back before the database goes
    asked = _end([note for note in found if not note.foundation], grace_s)
    asked += _end([note for note in found if note.foundation], grace_s)
    for note in found:
        forget(run, note.name)
    return asked


def _end(found: list[Note], grace_s: float) -> list[str]:
    asked: list[str] = []
    everyone: list[psutil.Process] = []
    for note in found:
        leader = note.leader()
        members = family(leader) if leader else left_behind(note)
        if leader:
            with contextlib.suppress(psutil.Error):
                leader.send_signal(note.stop_signal)
                leader.send_signal(signal.SIGCONT)
        else:
            # forks do not know how to end by themselves
            kill(members)
        if members:
            asked.append(note.name)
            everyone += members
    stubborn = wait_gone(everyone, grace_s)
    kill(stubborn)
    wait_gone(stubborn, 5.0)
    return asked


def wait_for_guard(run: Path, timeout: float = 15.0) -> None:
    """A guard that is still cleaning up after its supervisor is left to finish."""
    deadline = time.monotonic() + timeout
    for note in notes(run):
        while note.name == GUARD and note.leader() and time.monotonic() < deadline:
            time.sleep(0.05)
    forget(run, GUARD)

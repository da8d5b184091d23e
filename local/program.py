"""What it takes to run one process: command, folder, environment, user, and how it ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from local.account import Account


@dataclass(frozen=True)
class Program:
    """A process to be: how it starts, how one knows that it serves, how it is asked to stop."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    #: Others stand on it, so it ends after them.
    foundation: bool = False
    ready: Callable[[], bool] | None = None
    #: Called before every start.
    prepare: Callable[[], None] | None = None
    #: Whether a program that is meant to end has nothing to do.
    unneeded: Callable[[], bool] | None = None
    #: Started once the others serve, so that they have the machine to themselves until then.
    later: bool = False

    def options(self, log: IO[bytes] | int) -> dict[str, Any]:
        """Keyword arguments for `Popen` and for asyncio's `create_subprocess_exec` alike."""
        account = self.account
        return {
            "cwd": self.cwd,
            "env": dict(self.env),
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": subprocess.STDOUT,
            # its own session: the terminal's Ctrl-C reaches only who sorts out the order of
            # stopping, and whatever the process forks can be ended as one group
            "start_new_session": True,
            "user": account.uid if account else None,
            "group": account.gid if account else None,
            "extra_groups": [] if account else None,
        }

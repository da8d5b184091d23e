"""Starts the dummy stack as a person would, and looks at it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from local import ports

ROOT = Path(__file__).parents[2]


def wait_until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class RunningStack:
    """One `make run` with its output in a file."""

    def __init__(self, data: Path, *, before: Sequence[str] = (), **env: str) -> None:
        self.data = data
        self.env = {
            **os.environ,
            "DATA_DIR": str(data),
            "API_PORT": str(ports.free_port()),
            "FLOWER_PORT": str(ports.free_port()),
            **env,
        }
        for name in ("DATABASE_URL", "REDIS_URL", "JWT_PRIVATE_KEY_FILE"):
            if name not in env:
                self.env.pop(name, None)
        self.command = [*before, sys.executable, "-m", "tests.local.dummy"]
        self.out = data.parent / f"{data.name}.out"

    def start(self) -> RunningStack:
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        return self

    def ready(self) -> RunningStack:
        def shown() -> bool:
            assert self.process.poll() is None, self.text()
            return "is ready (" in self.text()

        wait_until(shown, 30)
        return self

    def text(self) -> str:
        return self.out.read_text()

    def worker(self) -> dict[str, Any]:
        path = self.data / "env.json"
        wait_until(path.exists)
        seen: dict[str, Any] = json.loads(path.read_text())
        return seen

    def pid(self, name: str) -> int:
        note: dict[str, Any] = json.loads((self.data / "run" / f"{name}.json").read_text())
        return int(note["pid"])

    def everyone(self) -> list[psutil.Process]:
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

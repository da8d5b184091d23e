"""Processes of the product as forks of one that has their libraries loaded already.

An API needs two seconds of a core to import what others wrote, and the tests start hundreds of
processes. Here that is done once. Nothing of the product is imported before the fork, so that
each process still reads its own settings and knows only the kinds that it loads itself.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

#: What API, workers and housekeeping import of others.
LIBRARIES = (
    "alembic.config",
    "argon2",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "cronsim",
    "fastapi",
    "fastapi.sse",
    "httpcore2",
    "httptools",
    "httpx2",
    "jwt",
    "kombu.transport.redis",
    "limits.aio",
    "obstore",
    "opentelemetry.sdk.metrics",
    "prometheus_client",
    "psutil",
    "psycopg_pool",
    "pwdlib",
    "pydantic_settings",
    "redis.asyncio",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
    "sqlmodel",
    "standardwebhooks",
    "structlog",
    "tzfpy",
    "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
    "websockets",
)
START_S = 30.0


class Started:
    """A process that was started here; the part of `subprocess.Popen` that tests use."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.code_of(self.pid, 0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """
        Raises:
            subprocess.TimeoutExpired
        """
        if self.returncode is None:
            self.returncode = self._nursery.code_of(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.returncode

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class Nursery:
    """The side of the tests: asks for processes and hears how they ended."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"],
            cwd=root,
            env={**os.environ, "COVERAGE_PROCESS_CONFIG": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._news = threading.Condition()
        self._asking = threading.Lock()
        self._born: int | None = None
        self._codes: dict[int, int] = {}
        self._listener = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._listener.start()
        atexit.register(self.close)

    def start(self, module: str, args: Sequence[str], env: Mapping[str, str], log: Path) -> Started:
        """Run `python -m module args` in a session of its own, its output appended to `log`."""
        wish = {"module": module, "args": list(args), "env": dict(env), "log": str(log)}
        with self._asking, self._news:
            self._born = None
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
            self._news.wait_for(lambda: self._born is not None, START_S)
            assert self._born is not None, "the nursery is dead"
            return Started(self, self._born)

    def code_of(self, pid: int, within_s: float | None) -> int | None:
        """How a process ended, as `Popen.returncode` says it; None while it lives."""
        with self._news:
            self._news.wait_for(lambda: pid in self._codes, within_s)
            return self._codes.get(pid)

    def close(self) -> None:
        """Let it go; what it started lives on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._listener.join(10)
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._news:
                if "code" in said:
                    self._codes[said["pid"]] = said["code"]
                else:
                    # its number may have been another's before
                    self._codes.pop(said["pid"], None)
                    self._born = said["pid"]
                self._news.notify_all()


def _serve() -> dict[str, Any] | None:
    """Fork for each line of standard input; in the child, return what it is to be."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    rest = b""
    while True:
        ready, _, _ = select.select([0, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _report_ends()
        if 0 not in ready:
            continue
        got = os.read(0, 1 << 20)
        if not got:
            return None
        *lines, rest = (rest + got).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(ended)
                os.close(wake)
                wish: dict[str, Any] = json.loads(line)
                return wish
            _say(pid=pid)


def _report_ends() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(pid=pid, code=os.waitstatus_to_exitcode(status))


def _say(**words: int) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def _become(wish: dict[str, Any]) -> None:
    """Be what `python -m module` would have been."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wish["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for file, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(file, place)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(wish["env"])
    sys.argv = [wish["module"], *wish["args"]]
    runpy.run_module(wish["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for library in LIBRARIES:
        import_module(library)
    gc.freeze()  # else the first collection in each child would copy all of its memory
    wish = _serve()
    if wish is not None:
        # at the top, so that the process ends as any other does
        _become(wish)

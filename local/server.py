"""The life of one embedded server: start, readiness, stop, and the faults that tests inject."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from local import ports
from local.account import server_account
from local.place import settle
from local.program import Program


class ServerDidNotStart(RuntimeError):
    """An embedded server ended, or gave no answer, before it was ready."""


class Server(ABC):
    """A server binary run in the foreground with a folder and a port of its own."""

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = True) -> None:
        """`durable=False` trades crash safety of the machine (not of the process) for speed."""
        self.asked_folder = folder.absolute()
        self.port = port or ports.free_port()
        self.durable = durable
        self.account = server_account(self.asked_folder / "data")
        self.folder = settle(self.asked_folder, self.account, lasting=durable)
        self.account = server_account(self.folder / "data")
        self.data = self.folder / "data"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> tuple[str, ...]:
        """The command line; no secret is on it, since every user can read it."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether a client with the right password is served now."""

    def program(self) -> Program:
        # a clean environment: API keys of the caller are none of a database's business
        env = {"PATH": os.defpath, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return Program(
            name=self.name,
            command=self.command(),
            cwd=self.data,
            env=env,
            account=self.account,
            stop_signal=self.stop_signal,
            foundation=True,
            ready=self.ready,
            prepare=self.prepare,
        )

    def prepare(self) -> None:  # noqa: B027  (most servers have nothing to do)
        """Clears what a crash left and would hinder the next start."""

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, timeout: float = 30.0) -> None:
        """Starts the server and returns once it answers."""
        assert not self.running, f"{self.name} is already running"
        program = self.program()
        self.prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(program.command, **program.options(log))
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise ServerDidNotStart(f"{self.name} on port {self.port}:\n{tail}")
            time.sleep(0.02)

    def stop(self, timeout: float = 10.0) -> None:
        """Asks politely, then kills; a paused server is woken, or it could not hear."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """`kill -9`: what a crash or the kernel's out-of-memory killer looks like."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, as on a hung machine."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def destroy(self) -> None:
        """Stops and deletes everything, a relocated folder too."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.asked_folder, ignore_errors=True)

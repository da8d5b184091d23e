"""The processes of a campaign, each kept up by a supervisor of the campaign's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from local.ports import free_port
from tests import stack
from tests.chaos.schedule import APIS, LIFELINES, WORKERS
from tests.fakes.proxy import Proxy
from tests.faults.kinds import EFFECTS
from tests.stack import Child, Stores, until

#: Long enough for a busy machine, short enough to wait for. Seconds.
LEASE_S = 6.0
#: How often the supervisor looks, and how long it leaves the dead alone. Seconds.
LOOK_S = 0.2
#: The artifacts lie on a disk so large where one may be mounted.
DISK = "48m"


@dataclass(frozen=True)
class Parts:
    """Who takes part, and what runs in them.

    Attributes:
        worker_app: what `celery -A` is given.
        housekeeping: the module of the lifeline.
    """

    apis: Sequence[str] = APIS
    workers: Sequence[str] = WORKERS
    lifelines: Sequence[str] = LIFELINES
    worker_app: str = "tests.faults.app"
    housekeeping: str = "workers.housekeeping"
    lease_s: float = LEASE_S


@dataclass
class Post:
    """A process with a name that is started again when it dies."""

    name: str
    child: Child
    port: int = 0
    #: Held by whoever stops it on purpose, so that nobody else starts it meanwhile.
    held: threading.Lock = field(default_factory=threading.Lock)
    starts: int = 1

    def alive(self) -> bool:
        return self.child.process.poll() is None

    def clear(self) -> None:
        """Kill what a dead parent has left, as every supervisor does."""
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)


class Stage:
    """Stores, processes, and the wires between some of them."""

    def __init__(self, stores: Stores, parts: Parts) -> None:
        self.stores = stores
        self.parts = parts
        self.wires = {
            "broker-wire": Proxy(stores.valkey.url()),
            "postgres-wire": Proxy(stores.postgres.dsn("postgres")),
        }
        self.disk = Disk(stores.folder / "artifacts")
        with stores.sql() as connection:
            connection.execute(EFFECTS)
        self.groups = set[int]()
        self._ended = threading.Event()
        self.posts = {post.name: post for post in self._posts()}
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    @property
    def urls(self) -> list[str]:
        """Addresses of the API."""
        return [f"http://127.0.0.1:{self.posts[name].port}" for name in self.parts.apis]

    def workers(self) -> list[Post]:
        return [self.posts[name] for name in self.parts.workers]

    def ready(self) -> None:
        """Wait until everybody works."""
        for post in self.workers():
            stack.entered(self.stores, post.child)
        for name in self.parts.apis:
            until(lambda name=name: "startup complete" in self.posts[name].child.output(), 60)  # type: ignore[misc]

    def start(self, post: Post) -> None:
        post.clear()
        post.child.start()
        post.starts += 1
        self.groups.add(post.child.pid)

    def stop(self) -> list[str]:
        """End everybody in an orderly way.

        Returns:
            Who or what was left over, in words.
        """
        self._ended.set()
        self._keeper.join(10)
        for post in self.posts.values():
            if post.alive():
                post.child.process.terminate()
        left = [f"{p.name} did not end within 25 s" for p in self.posts.values() if not _goes(p)]
        for wire in self.wires.values():
            wire.close()
        left += self._processes()
        left += self._connections()
        return left

    def close(self) -> None:
        """Leave nothing behind, whatever has happened."""
        self._ended.set()
        for group in self.groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for wire in self.wires.values():
            wire.close()
        self.disk.close()

    def restarts(self) -> dict[str, int]:
        return {name: post.starts - 1 for name, post in self.posts.items()}

    def _keep(self) -> None:
        while not self._ended.wait(LOOK_S):
            for post in self.posts.values():
                if post.alive() or not post.held.acquire(blocking=False):
                    continue
                try:
                    if not post.alive() and not self._ended.is_set():
                        self.start(post)
                finally:
                    post.held.release()

    def _processes(self) -> list[str]:
        """Living processes of any group that was ever started here."""
        found = []
        for process in psutil.process_iter(["name", "status"]):
            with suppress(ProcessLookupError, psutil.Error):
                ours = os.getpgid(process.pid) in self.groups
                if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
                    found.append(f"process {process.pid} ({process.info['name']})")
        return found

    def _connections(self, within_s: float = 8.0) -> list[str]:
        """Connections of the product's roles that do not go away."""
        query = "SELECT usename || ' ' || coalesce(state, '') FROM pg_stat_activity"
        query += " WHERE usename LIKE 'wheels%%'"
        give_up_at = time.monotonic() + within_s
        while True:
            with self.stores.sql() as connection:
                found = [f"connection of {row[0]}" for row in connection.execute(query)]
            if not found or time.monotonic() > give_up_at:
                return found
            time.sleep(0.2)

    def _posts(self) -> list[Post]:
        fast = {
            "LEASE_S": str(self.parts.lease_s),
            "RETRY_BASE_S": "0.2",
            "STREAM_LIFETIME_S": "20",
            **stack.UNMEASURED,
        }
        ports = {name: free_port() for name in self.parts.apis}
        return [
            *(self._post(name, _api(port), fast, port) for name, port in ports.items()),
            *(self._post(name, *self._worker(name, fast)) for name in self.parts.workers),
            *(
                self._post(name, ["-m", self.parts.housekeeping], fast)
                for name in self.parts.lifelines
            ),
        ]

    def _post(self, name: str, command: list[str], env: Mapping[str, str], port: int = 0) -> Post:
        # every second of a sort reaches the stores over wires that can be cut
        wired = self._wired() if name.endswith(("-2", "-b")) else {}
        command = [sys.executable, *command]
        child = Child(name, command, {**self.stores.env(), **env, **wired}, self.stores.folder)
        self.groups.add(child.pid)
        return Post(name, child, port)

    def _worker(self, name: str, env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        lane = name.rpartition("-")[0]
        slots, pool = (2, "prefork") if lane == "compute" else (8, "threads")
        # clocks set apart by two hours, where the app is the usual one
        skews = {"compute-b": "3600", "io-a": "-3600"}
        skewed = name in skews and self.parts.worker_app == "tests.faults.app"
        app = "tests.faults.skewed" if skewed else self.parts.worker_app
        command = ["-m", "celery", "-A", app, "worker", "-Q", lane, "-n", f"{name}@test"]
        command += ["--pool", pool, "-c", str(slots), "--without-mingle", "--without-gossip"]
        return command, {**env, "SKEW_S": skews.get(name, "0")}

    def _wired(self) -> dict[str, str]:
        """The addresses of the stores, as seen through the wires."""
        env = self.stores.env()
        broker = self.wires["broker-wire"].url
        port = urlsplit(self.wires["postgres-wire"].url).port
        direct = f":{self.stores.postgres.port}/"
        names = ("DATABASE_URL", "APP_DATABASE_URL", "ENGINE_DATABASE_URL")
        return {"REDIS_URL": broker} | {n: env[n].replace(direct, f":{port}/") for n in names}


def _api(port: int) -> list[str]:
    command = ["-m", "uvicorn", "tests.chaos.door:app", "--host", "127.0.0.1"]
    return [*command, "--port", str(port), "--timeout-graceful-shutdown", "4"]


def _goes(post: Post, within_s: float = 25.0) -> bool:
    try:
        post.child.process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


class Disk:
    """Where artifacts lie: a small disk of its own where one may be mounted, else a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
        self.mounted = self._run(mount)
        self._away = folder.with_name("artifacts.away")

    def fill(self) -> None:
        """No byte more fits in; where nothing is mounted, the store refuses altogether."""
        if not self.mounted:
            self.folder.rename(self._away)
            self.folder.touch()  # a file where the folder was: nobody can write into it
            return
        with (self.folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 65536)

    def empty(self) -> None:
        if self.mounted:
            (self.folder / "filler").unlink(missing_ok=True)
        elif self._away.exists():
            self.folder.unlink()
            self._away.rename(self.folder)

    def close(self) -> None:
        self.empty()
        if self.mounted:
            self.mounted = not self._run(["umount", "-l", str(self.folder)])

    @staticmethod
    def _run(command: list[str]) -> bool:
        try:
            return subprocess.run(command, check=False, capture_output=True).returncode == 0
        except OSError:
            return False

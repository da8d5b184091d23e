"""Nodes of pytest-celery that are processes of ours: no Docker, the same stack as everywhere."""

from __future__ import annotations

import signal as signals
from collections.abc import Callable, Mapping
from typing import Any

import psutil
from pytest_celery import CeleryTestBroker, CeleryTestWorker

from local.valkey import Valkey
from tests.stack import Child


class ProcessContainer:
    """What a node asks of its container, answered by a process."""

    def __init__(
        self, name: str, config: Mapping[str, Any], wait_ready: Callable[[], None]
    ) -> None:
        self.name = name
        self.celeryconfig = dict(config)
        self._wait_ready = wait_ready

    @property
    def id(self) -> str:
        return self.name

    def ready(self) -> bool:
        self._wait_ready()
        return True

    def reload(self) -> None:
        """A process has no stale description of itself."""

    def teardown(self) -> None:
        """The floor ends what it started."""


class WorkerProcess(ProcessContainer):
    """A Celery worker of ours."""

    def __init__(self, child: Child, broker_url: str, wait_ready: Callable[[], None]) -> None:
        super().__init__(child.name, {"broker_url": broker_url}, wait_ready)
        self.child = child

    @property
    def status(self) -> str:
        return "running" if self.child.process.poll() is None else "exited"

    def kill(self, signal: str | int = "SIGKILL") -> None:
        number = signals.Signals[signal] if isinstance(signal, str) else signals.Signals(signal)
        if number is signals.SIGTERM:
            self.child.process.terminate()  # to the parent, as a supervisor does
        else:
            self.child.signal_group(number)
        self.child.process.wait(30)

    def restart(self, timeout: float = 30) -> None:
        self.child.restart()

    def logs(self) -> str:
        return self.child.output()


class BrokerProcess(ProcessContainer):
    """The Valkey of the test's stores."""

    def __init__(self, valkey: Valkey) -> None:
        url = valkey.url()
        super().__init__(valkey.name, {"url": url, "host_url": url}, valkey.wait_ready)
        self.valkey = valkey

    @property
    def status(self) -> str:
        return "running" if self.valkey.running else "exited"

    def kill(self, signal: str | int = "SIGKILL") -> None:
        self.valkey.kill()

    def restart(self, timeout: float = 30) -> None:
        self.valkey.kill()
        self.valkey.start(timeout)

    def logs(self) -> str:
        return self.valkey.log.read_text(errors="replace")


class BrokerNode(CeleryTestBroker):  # type: ignore[misc]
    """The broker."""


class WorkerNode(CeleryTestWorker):  # type: ignore[misc]
    """One worker with its children."""

    def get_running_processes_info(
        self, columns: list[str] | None = None, filters: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        parent = psutil.Process(self.container.child.pid)
        found = [each.as_dict(columns) for each in (parent, *parent.children(recursive=True))]
        wanted = (filters or {}).items()
        return [each for each in found if all(each.get(name) == value for name, value in wanted)]

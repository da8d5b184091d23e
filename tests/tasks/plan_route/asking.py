"""Asking the engine for a plan in a test: a job around it, and its answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

from core.children import ChildOutcome
from core.ids import new_id, public_id
from core.kind import Progress, RunStopped
from services.roads import GreatCircle
from tasks.plan_route.contract import RoutePlan, RouteRequest
from tasks.plan_route.engine import plan


class FakeRun:
    """A job in memory, which can be finished or cancelled after some seconds.

    Attributes:
        reports: all progress so far.
        files: the artifacts so far, by name.
        checkpoints: all that were saved so far.
        restored: what an earlier attempt saved.
        longest_silence_s: the longest that the engine went without a look at the job.
    """

    def __init__(
        self,
        cancel_after_s: float | None = None,
        finish_after_s: float | None = None,
        restored: dict[str, Any] | None = None,
    ):
        self.owner_id = new_id()
        self.restored = restored
        self.owner_id = UUID(int=0)
        self.checkpoints: list[dict[str, Any]] = []
        self.reports: list[Progress] = []
        self.files: dict[str, bytes] = {}
        self.longest_silence_s = 0.0
        self._began = self._seen = time.monotonic()
        self._cancel_after_s, self._finish_after_s = cancel_after_s, finish_after_s

    @property
    def finish_requested(self) -> bool:
        after = self._finish_after_s
        return after is not None and time.monotonic() - self._began >= after

    def check(self) -> None:
        now = time.monotonic()
        self.longest_silence_s = max(self.longest_silence_s, now - self._seen)
        self._seen = now
        if self._cancel_after_s is not None and now - self._began >= self._cancel_after_s:
            raise RunStopped

    def report(self, progress: Progress) -> None:
        self.check()
        self.reports.append(progress)

    def checkpoint(self, state: dict[str, Any]) -> None:
        self.check()
        self.checkpoints.append(state)

    def children(self, wanted: object, *, fail_fast: bool = True) -> list[ChildOutcome]:
        raise AssertionError("a plan starts no jobs")

    def artifact(self, name: str, media_type: str, content: bytes | Path) -> UUID:
        self.check()
        self.files[name] = content if isinstance(content, bytes) else content.read_bytes()
        return public_id()


def ask(body: dict[str, Any], run: FakeRun | None = None) -> RoutePlan:
    """The plan for the JSON body of a request."""
    request = RouteRequest.model_validate(body)
    return plan(request, run=run or FakeRun(), roads=GreatCircle())

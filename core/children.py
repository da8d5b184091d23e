"""Jobs that a job starts and waits for: what a body asks for, and what it gets back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from core.kind import JobFailed, Kind, RunStopped

#: Children that one job may start in all.
MAX_CHILDREN = 500
#: Generations below a job that a client has submitted.
MAX_DEPTH = 3
#: Length of a key.
MAX_KEY = 100


@dataclass(frozen=True)
class Child:
    """A job to start.

    Attributes:
        key: names it among its siblings. Each attempt of the parent must use the same keys for
            the same work: a key that is there already starts nothing.
        tags: beside those of the parent, which it has as well.
    """

    key: str
    kind: Kind[Any, Any]
    request: BaseModel
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ChildOutcome:
    """How a child has ended.

    Attributes:
        status: succeeded, failed, cancelled or expired.
        result: of the kind's model; None unless it succeeded.
        error: its error body; None unless it failed.
    """

    key: str
    job_id: UUID
    status: str
    result: Any = None
    error: dict[str, Any] | None = None


class RunWaits(RunStopped):
    """The attempt ends here, and the next one begins when these children have ended."""

    def __init__(self, children: Sequence[Child], *, fail_fast: bool) -> None:
        super().__init__("waits for children")
        self.children, self.fail_fast = list(children), fail_fast


def child_failed(failed: Sequence[ChildOutcome]) -> JobFailed:
    """The error of a job that cannot do without these."""
    shown = [
        {
            "key": each.key,
            "job_id": str(each.job_id),
            "status": each.status,
            "error_code": None if each.error is None else each.error.get("error_code"),
        }
        for each in failed[:10]
    ]
    detail = f"{len(failed)} of the jobs that it started did not succeed."
    return JobFailed("CHILD_FAILED", detail, status=424, extra={"children": shown})

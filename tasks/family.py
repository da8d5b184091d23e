"""The children of a run: what came of them, or the end of the attempt that waits for them."""

from __future__ import annotations

from collections.abc import Sequence

from core.children import (
    MAX_CHILDREN,
    MAX_KEY,
    Child,
    ChildOutcome,
    RunWaits,
    child_failed,
)
from core.database import Database, perform
from core.kind import JobFailed
from models.job import Status
from services.jobs import children
from services.jobs.children import EndedChild
from services.jobs.claim import Claimed
from tasks.patience import patiently

#: How long reading the children is tried while Postgres is away. Seconds.
READ_PATIENCE_S = 30.0


class Family:
    """Reads the children of the runs of this process."""

    def __init__(self, database: Database) -> None:
        """
        Args:
            database: connections of role `engine`.
        """
        self._database = database

    def outcomes(
        self, claimed: Claimed, wanted: Sequence[Child], *, fail_fast: bool
    ) -> list[ChildOutcome]:
        """How the children have ended, in the order asked.

        Raises:
            RunWaits: not all have; those that are not there yet are to be started.
            JobFailed, ValueError: see `core.kind.Run.children`.
        """
        keys = [child.key for child in wanted]
        if len(set(keys)) < len(keys) or not all(0 < len(key) <= MAX_KEY for key in keys):
            raise ValueError(f"keys must differ and have 1 to {MAX_KEY} characters")
        if len(keys) > MAX_CHILDREN:
            raise JobFailed("TOO_MANY_CHILDREN", f"A job may start {MAX_CHILDREN} jobs at most.")
        found = patiently(READ_PATIENCE_S, lambda: self._read(claimed, keys)) if keys else {}
        if len(found) < len(keys):
            raise RunWaits(wanted, fail_fast=fail_fast)
        outcomes = [_outcome(child, found[child.key]) for child in wanted]
        failed = [each for each in outcomes if each.status != Status.SUCCEEDED]
        if failed and fail_fast:
            raise child_failed(failed)
        return outcomes

    def _read(self, claimed: Claimed, keys: list[str]) -> dict[str, EndedChild]:
        with self._database.transaction() as session:
            return perform(session, children.ended(claimed.owner_id, claimed.job_id, keys))


def _outcome(child: Child, ended: EndedChild) -> ChildOutcome:
    result = None if ended.result is None else child.kind.result.model_validate(ended.result)
    return ChildOutcome(child.key, ended.job_id, ended.status, result, ended.error)

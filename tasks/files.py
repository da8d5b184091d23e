"""Adding files to a job from inside of its run: the bytes first, then the row under the fence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from core.broker import Grown
from core.database import Database, perform
from core.errors import StoreUnavailable
from core.kind import JobFailed
from services.artifacts import rows
from services.artifacts.rows import NewArtifact
from services.artifacts.store import ArtifactStore
from services.jobs.claim import Claimed
from tasks.patience import patiently

#: How long a row is tried while Postgres is away. Far below the hour after which bytes
#: without a row are swept. Seconds.
ADD_PATIENCE_S = 60.0


class Files:
    """The artifacts of all runs of this process."""

    def __init__(
        self,
        database: Database,
        store: ArtifactStore,
        changed: Callable[[Iterable[Grown]], None],
    ) -> None:
        """
        Args:
            database: connections of role `engine`.
            changed: told which jobs' logs grew.
        """
        self._database = database
        self._store = store
        self._changed = changed

    def add(
        self, claimed: Claimed, name: str, media_type: str, content: bytes | Path
    ) -> UUID | None:
        """See `core.kind.Run.artifact`.

        Returns:
            The artifact's id, or None where the fence is no longer ours.

        Raises:
            JobFailed: the store of the bytes is away.
        """
        new = NewArtifact.of(name, media_type, content)
        try:
            self._store.put(new.location, content)
        except StoreUnavailable as error:
            raise JobFailed(error.code, error.detail, status=503, retryable=True) from error
        artifact_id = patiently(ADD_PATIENCE_S, lambda: self._record(claimed, new))
        if artifact_id is not None:
            self._changed([(claimed.job_id, claimed.owner_id)])
        return artifact_id

    def _record(self, claimed: Claimed, new: NewArtifact) -> UUID | None:
        with self._database.transaction() as session:
            return perform(session, rows.add(claimed.job_id, claimed.fence, new))

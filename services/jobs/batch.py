"""Accepting several jobs at once: all of them in one transaction, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from core.database import Steps
from core.ids import new_id
from services.idempotency import IdempotencyKey, take_key_of_many
from services.jobs.submit import Entry, Fill, NewJob, Submitted, write
from services.jobs.supersede import take_turns

#: Jobs that one batch may have.
MAX_BATCH = 100


@dataclass(frozen=True)
class Batch:
    """Which jobs the request led to, in its order.

    Attributes:
        made: what was written; nothing, where an earlier request with the key had made them.
    """

    job_ids: list[UUID]
    made: list[Submitted] = field(default_factory=list)

    @property
    def replayed(self) -> bool:
        return not self.made


def submit_batch(
    owner_id: UUID,
    wanted: Sequence[tuple[NewJob, Fill | None]],
    *,
    entry: Entry,
    key: IdempotencyKey | None = None,
) -> Steps[Batch]:
    """Write jobs one after the other, as if each had been submitted alone; the caller commits.

    Each counts against the quota, so that one too many refuses all of them.

    Args:
        wanted: 1 to `MAX_BATCH` jobs, and what completes each.

    Raises:
        TooManyJobs: the quota does not hold all of them.
        KeyReused, KeyInFlight: see `take_key`.
    """
    ids = [new_id() for _ in wanted]
    if key is not None:
        earlier = yield from take_key_of_many(owner_id, key, 202, ids)
        if earlier != ids:
            return Batch(earlier)
    yield from take_turns(owner_id, [new.place for new, _ in wanted if new.place is not None])
    made = []
    for job_id, (new, fill) in zip(ids, wanted, strict=True):
        made.append((yield from write(owner_id, job_id, new, entry, fill)))
    return Batch(ids, made)

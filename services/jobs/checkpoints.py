"""How far a run has come, kept under its fence for the attempt after it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind

# The row of the run is locked first, as by every writer of a run: whoever takes the job away
# either waits for this, or is not waited for.
_SAVE = text("""
WITH mine AS (
    SELECT job_id, owner_id FROM job_runs
    WHERE job_id = :id AND fence = :fence AND lease_until IS NOT NULL FOR UPDATE
)
INSERT INTO job_checkpoints (job_id, owner_id, attempt, state, size_bytes)
SELECT job_id, owner_id, :attempt, CAST(:state AS json), :size FROM mine
ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, state = excluded.state,
    size_bytes = excluded.size_bytes, saved_at = now()
RETURNING job_id
""")


def save(job_id: UUID, fence: UUID, attempt: int, state: str) -> Steps[bool]:
    """Keep the newest state of a run; the one before it is replaced.

    Args:
        state: a JSON object, in ASCII.

    Returns:
        False where the fence is no longer ours: nothing was written.
    """
    bound = bind(_SAVE, id=job_id, fence=fence, attempt=attempt, state=state, size=len(state))
    return (yield bound).first() is not None

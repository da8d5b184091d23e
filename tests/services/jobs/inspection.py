"""What stands in Postgres, read past every policy and without the code under test."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

_JOBS = """
SELECT j.id, j.owner_id, j.status, j.seq, j.attempt, j.errors, j.crashes, j.finished_at,
       j.admitted_at IS NOT NULL AS admitted, j.started_at IS NOT NULL AS started,
       j.cancel_requested_at IS NOT NULL AS cancel_asked,
       j.finish_requested_at IS NOT NULL AS finish_asked,
       j.expires_at IS NOT NULL AS expires,
       j.superseded_by IS NOT NULL AS superseded,
       (SELECT c.state ->> 'n' FROM job_checkpoints c WHERE c.job_id = j.id)::integer AS saved,
       r.fence, r.worker_id, r.lease_until IS NOT NULL AS leased,
       p.result IS NOT NULL AS has_result, p.error IS NOT NULL AS has_error,
       (SELECT count(*) FROM effects e WHERE e.job_id = j.id) AS effects,
       ARRAY(SELECT type FROM job_events e WHERE e.job_id = j.id ORDER BY seq) AS log,
       ARRAY(SELECT seq FROM job_events e WHERE e.job_id = j.id ORDER BY seq) AS numbers,
       ARRAY(SELECT coalesce(a.outcome, 'open') FROM job_attempts a WHERE a.job_id = j.id
             ORDER BY a.started_at, a.fence) AS outcomes,
       ARRAY(SELECT a.fence::text FROM job_attempts a
             WHERE a.job_id = j.id AND a.ended_at IS NULL) AS open_fences
FROM jobs j JOIN job_payloads p ON p.job_id = j.id LEFT JOIN job_runs r ON r.job_id = j.id
"""


class Inspection:
    """One superuser's connection."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        self._connection.close()

    def jobs(self) -> dict[UUID, dict[str, Any]]:
        return {row["id"]: row for row in self._connection.execute(_JOBS)}

    def cut(self, pid: int) -> None:
        """End somebody's connection, and wait until it is gone."""
        self._connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    def never_late(self, worker_id: UUID) -> None:
        """Let a worker count as living however slow the machine is."""
        self._connection.execute(
            "UPDATE workers SET beat_at = now() + interval '1 day' WHERE id = %s", (worker_id,)
        )

    def set_ready(self, job_id: UUID, *, now: bool) -> None:
        """Let a back-off have ended, or last longer than the test."""
        interval = "-1 second" if now else "1 hour"
        self._connection.execute(
            "UPDATE jobs SET ready_at = now() + %s::interval WHERE id = %s", (interval, job_id)
        )

"""The history checker: own connection, own SQL, none of our code. It must be able to say no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

TERMINAL = ("succeeded", "failed", "cancelled", "expired")


@dataclass
class Report:
    """What the oracle found; empty violations mean that the promises were kept."""

    accepted: int
    statuses: dict[str, int] = field(default_factory=dict)
    effects: int = 0
    violations: list[str] = field(default_factory=list)


class Oracle:
    """Accepted means one terminal state; effects once; logs gap-free, closed by their end."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def check(self, accepted: Sequence[UUID], *, effects: bool = True) -> Report:
        """
        Args:
            accepted: every job that was answered with 202, by the client's own list.
            effects: whether each success must have left exactly one row in `effects`.
        """
        report = Report(len(accepted))
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            for job_id in accepted:
                report.violations += self._violations(connection, job_id, effects, report)
        return report

    def _violations(
        self, connection: psycopg.Connection, job_id: UUID, effects: bool, report: Report
    ) -> list[str]:
        row = connection.execute(
            "SELECT status, seq, finished_at FROM jobs WHERE id = %s", (job_id,)
        ).fetchone()
        if row is None:
            return [f"{job_id}: accepted, and lost"]
        status, seq, finished_at = row
        report.statuses[status] = report.statuses.get(status, 0) + 1
        found = []
        if status not in TERMINAL or finished_at is None:
            found.append(f"{job_id}: still {status}")
        log = connection.execute(
            "SELECT seq, type FROM job_events WHERE job_id = %s ORDER BY seq", (job_id,)
        ).fetchall()
        if [number for number, _ in log] != list(range(1, seq + 1)):
            found.append(f"{job_id}: the log has gaps: {[number for number, _ in log]} of {seq}")
        ends = [kind for _, kind in log if kind.removeprefix("job.") in TERMINAL]
        if ends != [f"job.{status}"] or (log and log[-1][1] != f"job.{status}"):
            found.append(f"{job_id}: {status}, but its log ends {[kind for _, kind in log][-3:]}")
        if effects:
            count = connection.execute(
                "SELECT count(*) FROM effects WHERE job_id = %s", (job_id,)
            ).fetchone()
            done = count[0] if count else 0
            report.effects += done
            if done != (status == "succeeded"):
                found.append(f"{job_id}: {status} with {done} effects")
        return found

"""Counts of what is rare: kept in Postgres, so that they outlive the processes that count."""

from __future__ import annotations

from sqlalchemy import text

from core.database import Steps, bind

#: Attempts whose worker was lost; counted by the statement that frees them.
LEASES_LOST = "leases_lost"
#: Ends of attempts that came after the job had been taken away, and were refused.
WRITES_REFUSED = "stale_writes_refused"
#: Workers that ended themselves because no message reached them.
WORKERS_STALLED = "workers_stalled"

NAMES = (LEASES_LOST, WRITES_REFUSED, WORKERS_STALLED)

_COUNT = text("""
INSERT INTO counters (name, value) VALUES (:name, 1)
ON CONFLICT (name) DO UPDATE SET value = counters.value + 1
""")


def count(name: str) -> Steps[None]:
    """Count one more, as role `engine`."""
    yield bind(_COUNT, name=name)

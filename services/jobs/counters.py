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
#: Attempts to deliver to a webhook that did not succeed; counted by the statement that ends them.
WEBHOOK_ATTEMPTS_FAILED = "webhook_attempts_failed"
#: Messages to webhooks that were given up.
WEBHOOK_DELIVERIES_FAILED = "webhook_deliveries_failed"

NAMES = (
    LEASES_LOST,
    WRITES_REFUSED,
    WORKERS_STALLED,
    WEBHOOK_ATTEMPTS_FAILED,
    WEBHOOK_DELIVERIES_FAILED,
)

_COUNT = text("INSERT INTO counters (name, value) VALUES (:name, 1)")

#: Puts what is older together once it is much; the sums stay what they were.
COMPACT = text("""
WITH many AS (SELECT count(*) > 1000 AS are FROM counters WHERE at < now() - interval '1 hour'
), old AS (
    DELETE FROM counters WHERE at < now() - interval '1 hour' AND (SELECT are FROM many)
    RETURNING name, value
)
INSERT INTO counters (name, value) SELECT name, sum(value) FROM old GROUP BY name
""")


def count(name: str) -> Steps[None]:
    """Count one more, as role `engine`."""
    yield bind(_COUNT, name=name)

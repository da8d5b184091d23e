"""Which messages are handed to the broker next, and which of them must have been lost."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.kind import Lane
from services.jobs.admission import BEAT_TIMEOUT_S, Message

#: Name of the task, in the lane that also serves jobs.
DELIVER = "deliver_webhook"
LANE = Lane.IO
#: So many of a lane's slots may deliver at once: one of two, the rest is for jobs.
SLOTS_PER_DELIVERY = 2
#: Where no worker of the lane lives yet, so many messages wait for the first.
UNSERVED = 4
#: Deliveries at once to one endpoint while it answers; one at a time after a failure.
PER_ENDPOINT = 4
#: Deliveries at once to all endpoints of one user.
PER_OWNER = 4
#: A message that nobody claims for so long is lost; doubles with each repeat. Seconds.
PATIENCE_S = 10.0
BATCH = 200

# Turn by turn, as jobs are admitted: of each endpoint that is neither switched off nor at rest
# the oldest due, at most so many at once; then owner by owner. Endpoints are found by steps along
# an index, so that a thousand messages of one cost no more than four.
_ADMIT = text("""
WITH RECURSIVE space AS MATERIALIZED (
    SELECT greatest(:unserved, (
        SELECT coalesce(sum(slots), 0) / :per_delivery FROM workers
        WHERE lane = :lane AND ended_at IS NULL AND draining_at IS NULL
          AND beat_at > now() - make_interval(secs => :beat_s))) - (
        SELECT count(*) FROM webhook_deliveries
        WHERE status = 'pending' AND sent_at IS NOT NULL) AS n
), busy AS MATERIALIZED (
    SELECT owner_id, endpoint_id, count(*) AS n FROM webhook_deliveries
    WHERE status = 'pending' AND sent_at IS NOT NULL GROUP BY owner_id, endpoint_id
), known AS (
    (SELECT endpoint_id FROM webhook_deliveries
     WHERE status = 'pending' AND sent_at IS NULL AND (SELECT n FROM space) > 0
     ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT endpoint_id FROM webhook_deliveries
            WHERE status = 'pending' AND sent_at IS NULL AND endpoint_id > known.endpoint_id
            ORDER BY endpoint_id LIMIT 1)
    FROM known WHERE known.endpoint_id IS NOT NULL
), heads AS (
    SELECT head.id, head.due_at, e.owner_id FROM known
    JOIN webhook_endpoints e ON e.id = known.endpoint_id AND e.enabled
        AND (e.rest_until IS NULL OR e.rest_until <= now())
    CROSS JOIN LATERAL (
        SELECT id, due_at, row_number() OVER (ORDER BY due_at, id) AS nth FROM (
            SELECT id, due_at FROM webhook_deliveries
            WHERE endpoint_id = e.id AND status = 'pending' AND sent_at IS NULL
              AND due_at <= now()
            ORDER BY due_at, id LIMIT :per_endpoint) due
        ) head
    WHERE head.nth + coalesce((SELECT n FROM busy WHERE endpoint_id = e.id), 0)
          <= CASE WHEN e.failures > 0 THEN 1 ELSE :per_endpoint END
), turns AS (
    SELECT id, due_at, row_number() OVER (PARTITION BY owner_id ORDER BY due_at, id) + coalesce(
        (SELECT sum(n) FROM busy WHERE busy.owner_id = heads.owner_id), 0) AS turn
    FROM heads
), picked AS (
    SELECT id, row_number() OVER (ORDER BY turn, due_at, id) AS place FROM turns
    WHERE turn <= :per_owner ORDER BY place LIMIT greatest(0, (SELECT n FROM space))
), next AS (
    SELECT d.id, picked.place FROM picked JOIN webhook_deliveries d ON d.id = picked.id
    WHERE d.status = 'pending' AND d.sent_at IS NULL
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhook_deliveries d SET sent_at = now(), sends = least(d.sends + 1, 1000)
FROM next WHERE d.id = next.id
RETURNING d.id, d.attempts, next.place
""")


def admit_deliveries() -> Steps[list[Message]]:
    """Pick what is to be sent next, as role `engine`; the caller commits, then sends."""
    bound = bind(
        _ADMIT,
        lane=LANE.value,
        unserved=UNSERVED,
        per_delivery=SLOTS_PER_DELIVERY,
        beat_s=BEAT_TIMEOUT_S,
        per_endpoint=PER_ENDPOINT,
        per_owner=PER_OWNER,
    )
    rows = sorted((yield bound).all(), key=lambda row: row.place)
    return [Message(row.id, DELIVER, LANE, row.attempts, None) for row in rows]


# one that was never sent does not count as a repeat
_UNSEND = text("""
UPDATE webhook_deliveries SET sent_at = NULL, sends = greatest(0, sends - 1)
WHERE id = ANY(:ids) AND status = 'pending' AND fence IS NULL
""")


def unsend(delivery_ids: list[UUID]) -> Steps[None]:
    """Take back what could not be handed to the broker."""
    yield bind(_UNSEND, ids=delivery_ids)


_RECOVER = text("""
WITH lost AS (
    SELECT d.id FROM webhook_deliveries d LEFT JOIN workers w ON w.id = d.worker_id
    WHERE d.status = 'pending' AND d.sent_at IS NOT NULL AND CASE WHEN d.fence IS NOT NULL
        THEN d.lease_until < now() OR w.ended_at IS NOT NULL
        ELSE d.sent_at < now() - make_interval(
            secs => :patience_s * power(2, least(d.sends, 6) - 1)) END
    LIMIT :batch FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhook_deliveries d SET sent_at = NULL, fence = NULL, worker_id = NULL, lease_until = NULL,
    due_at = CASE WHEN d.fence IS NULL THEN d.due_at
             ELSE now() + make_interval(secs => least(d.attempts, 60)) END
FROM lost WHERE d.id = lost.id RETURNING d.id
""")


def recover(*, patience_s: float = PATIENCE_S) -> Steps[int]:
    """Free what a dead worker held, and messages that the broker lost; they are sent again.

    Nobody knows whether the endpoint heard the first time: it hears the same id again.
    """
    return len((yield bind(_RECOVER, patience_s=patience_s, batch=BATCH)).all())

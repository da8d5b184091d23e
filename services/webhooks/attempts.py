"""One attempt of a delivery: taken under a fence, ended under it, and when the next one is."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text

from core.database import Steps, bind
from models.webhook import DeliveryStatus
from services.jobs.counters import WEBHOOK_ATTEMPTS_FAILED, WEBHOOK_DELIVERIES_FAILED
from services.webhooks.sender import Answer

#: Delays between attempts by the Standard Webhooks specification 1.0, "Retry schedule"; the
#: first is at once. Seconds.
SCHEDULE_S = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
#: Each delay is longer by up to this share, so that what failed together does not come together.
JITTER = 0.1
#: Messages in a row that may run out of attempts before the endpoint is switched off.
EXHAUSTIONS = 3
#: Longest rest of an endpoint after failures in a row. Seconds.
REST_CAP_S = 300
#: Attempts that the log of a delivery remembers.
LOG_LENGTH = 30

GONE, FAILING = "GONE", "FAILING"


@dataclass(frozen=True)
class Delivery:
    """A message that this worker may send, until its lease ends."""

    id: UUID
    owner_id: UUID
    endpoint_id: UUID
    fence: UUID
    attempt: int
    tries: int


_CLAIM = text("""
UPDATE webhook_deliveries d SET fence = :fence, worker_id = :worker, attempts = d.attempts + 1,
    sends = 0, sent_at = coalesce(d.sent_at, now()),
    lease_until = now() + make_interval(secs => :lease_s)
FROM webhook_endpoints e
WHERE d.id = :id AND d.status = 'pending' AND d.attempts = :attempt AND d.fence IS NULL
  AND d.due_at <= now() AND e.id = d.endpoint_id AND e.enabled
  AND EXISTS (SELECT FROM workers w WHERE w.id = :worker AND w.ended_at IS NULL)
RETURNING d.id, d.owner_id, d.endpoint_id, d.fence, d.attempts AS attempt, d.tries
""")


def claim(
    delivery_id: UUID, attempt: int, *, worker_id: UUID, lease_s: float
) -> Steps[Delivery | None]:
    """Take a due delivery as role `engine`, by compare-and-set on its number of attempts.

    Args:
        attempt: attempts so far, as the broker's message says.

    Returns:
        The delivery, or None where it is not there to take.
    """
    bound = bind(
        _CLAIM, id=delivery_id, attempt=attempt, worker=worker_id, lease_s=lease_s, fence=uuid4()
    )
    row = (yield bound).first()
    return None if row is None else Delivery(**row._mapping)


@dataclass(frozen=True)
class Material:
    """What a message is made of.

    Attributes:
        secrets: sealed, the newest first.
        body: of an earlier attempt; None on the first.
        event: what the job's log says of the event; None for a ping.
    """

    url: str
    secrets: list[bytes]
    body: str | None
    job_id: UUID | None
    seq: int
    type: str
    event_at: datetime
    event: dict[str, object] | None


_MATERIAL = text("""
SELECT e.url, e.secret, CASE WHEN e.old_secret_until > now() THEN e.old_secret END AS old_secret,
    d.body, d.job_id, d.seq, d.type, d.event_at,
    (SELECT data FROM job_events v WHERE v.job_id = d.job_id AND v.seq = d.seq) AS event
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
WHERE d.id = :id AND d.fence = :fence AND d.owner_id = :owner AND e.owner_id = :owner
""")


def material(delivery: Delivery) -> Steps[Material | None]:
    """Read what to send, as its owner: role `engine` cannot see secrets. None: it is gone."""
    bound = bind(_MATERIAL, id=delivery.id, fence=delivery.fence, owner=delivery.owner_id)
    row = (yield bound).first()
    if row is None:
        return None
    values = dict(row._mapping)
    secrets = [values.pop("secret"), values.pop("old_secret")]
    return Material(secrets=[bytes(each) for each in secrets if each is not None], **values)


_KEEP_BODY = text("""
UPDATE webhook_deliveries SET body = :body WHERE id = :id AND fence = :fence AND owner_id = :owner
""")


def keep_body(delivery: Delivery, body: str) -> Steps[None]:
    """Remember what is sent: every later attempt sends the same."""
    yield bind(_KEEP_BODY, id=delivery.id, fence=delivery.fence, owner=delivery.owner_id, body=body)


# The endpoint's row is locked before the delivery's, as whoever deletes it does; the count of
# what was locked only puts the two in this order.
_END = """
WITH held AS MATERIALIZED (
    SELECT id FROM webhook_endpoints e WHERE id = :endpoint {where} FOR NO KEY UPDATE
), delivery AS (
    UPDATE webhook_deliveries SET status = :status, tries = :tries, fence = NULL,
        worker_id = NULL, lease_until = NULL, sent_at = NULL,
        due_at = now() + make_interval(secs => CAST(:delay_s AS float8)),
        finished_at = CASE WHEN :status <> 'pending' THEN now() END,
        log = CASE WHEN jsonb_array_length(log) >= :log_length THEN log - 0 ELSE log END
            || jsonb_build_array(CAST(:entry AS jsonb) || jsonb_build_object('at',
                to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
    WHERE id = :id AND fence = :fence AND (SELECT count(*) FROM held) >= 0 RETURNING endpoint_id
), endpoint AS (
    UPDATE webhook_endpoints e SET {changes}
    FROM delivery WHERE e.id = delivery.endpoint_id {where}
){more}
SELECT FROM delivery
"""

# an endpoint that is well is not written to
_DELIVERED = text(
    _END.format(
        changes="failures = 0, exhausted = 0, rest_until = NULL",
        where="AND (e.failures > 0 OR e.exhausted > 0)",
        more="",
    )
)
_FAILED = text(
    _END.format(
        changes="""failures = e.failures + 1, exhausted = e.exhausted + :out,
        rest_until = CASE WHEN e.failures > 0 THEN
            now() + make_interval(secs => least(:rest_s, power(2, least(e.failures, 20)))) END,
        enabled = e.enabled AND NOT :gone AND e.exhausted + :out < :exhaustions,
        disabled_reason = CASE WHEN NOT e.enabled THEN e.disabled_reason
            WHEN :gone THEN 'GONE' WHEN e.exhausted + :out >= :exhaustions THEN 'FAILING' END,
        version = e.version + CAST(e.enabled AND (:gone OR e.exhausted + :out >= :exhaustions)
                                   AS integer),
        updated_at = CASE WHEN e.enabled AND (:gone OR e.exhausted + :out >= :exhaustions)
                     THEN now() ELSE e.updated_at END""",
        where="",
        more=f""", counted AS (
    INSERT INTO counters (name, value) SELECT '{WEBHOOK_ATTEMPTS_FAILED}', 1 FROM delivery
    UNION ALL SELECT '{WEBHOOK_DELIVERIES_FAILED}', 1 FROM delivery WHERE :status = 'failed'
)""",  # noqa: S608  # constants
    )
)


def next_delay(tries: int) -> float | None:
    """Seconds until the next attempt after so many that failed; None when none is left."""
    if tries >= len(SCHEDULE_S):
        return None
    return SCHEDULE_S[tries] * random.uniform(1, 1 + JITTER)  # noqa: S311


def end(delivery: Delivery, answer: Answer) -> Steps[bool]:
    """End an attempt as role `engine`: delivered, to be tried again, or given up.

    Returns:
        False where the fence is no longer ours: nothing was written.
    """
    entry = {"status": answer.status, "duration_ms": answer.duration_ms, "error": answer.error}
    values = {
        "id": delivery.id,
        "endpoint": delivery.endpoint_id,
        "fence": delivery.fence,
        "entry": json.dumps(entry),
        "log_length": LOG_LENGTH,
    }
    if answer.delivered:
        succeeded = DeliveryStatus.SUCCEEDED.value
        bound = bind(_DELIVERED, status=succeeded, tries=delivery.tries, delay_s=None, **values)
        return (yield bound).first() is not None
    tries, gone = delivery.tries + 1, answer.status == 410
    final = gone or answer.final
    delay_s = None if final else next_delay(tries)
    status = DeliveryStatus.FAILED if delay_s is None else DeliveryStatus.PENDING
    bound = bind(
        _FAILED,
        status=status.value,
        tries=tries,
        delay_s=delay_s,
        out=int(delay_s is None and not answer.final),
        gone=gone,
        exhaustions=EXHAUSTIONS,
        rest_s=REST_CAP_S,
        **values,
    )
    return (yield bound).first() is not None

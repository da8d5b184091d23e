"""The log of what was sent to an endpoint: a page, one, a ping, and sending once more."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from core.database import Steps, bind
from core.ids import public_id
from models.webhook import DeliveryStatus
from services.idempotency import IdempotencyKey, take_key
from services.webhooks import endpoints
from services.webhooks.errors import DeliveryNotFound, WebhookDisabled

PING = "webhook.ping"
_PACKED = struct.Struct(">Q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class After:
    """The place of a delivery in the log; clients get it as an opaque text."""

    at: datetime
    id: UUID

    def __str__(self) -> str:
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        packed = _PACKED.pack(microseconds, self.id.bytes)
        return base64.urlsafe_b64encode(packed).decode()

    @classmethod
    def read(cls, value: str) -> After | None:
        """The place that a client sends back; None where it is none of ours."""
        try:
            microseconds, raw = _PACKED.unpack(base64.b64decode(value, b"-_", validate=True))
            return cls(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=raw))
        except (ValueError, binascii.Error, struct.error, OverflowError):
            return None


@dataclass(frozen=True)
class DeliveryView:
    """A delivery as its owner sees it."""

    id: UUID
    endpoint_id: UUID
    job_id: UUID | None
    seq: int
    type: str
    event_at: datetime
    created_at: datetime
    status: DeliveryStatus
    attempts: int
    due_at: datetime | None
    finished_at: datetime | None
    log: list[dict[str, Any]]
    #: What is sent; None before the first attempt, and in lists.
    body: str | None

    @property
    def message_id(self) -> str:
        return message_id(self.id, self.job_id, self.seq)


def message_id(delivery_id: UUID, job_id: UUID | None, seq: int) -> str:
    """The `webhook-id` of an event: the same however often and to whomever it is sent."""
    return f"msg_{(job_id or delivery_id).hex}_{seq}"


_COLUMNS = """d.id, d.endpoint_id, d.job_id, d.seq, d.type, d.event_at, d.created_at, d.status,
    d.attempts, d.due_at, d.finished_at, d.log"""
_ONE = text(f"""
SELECT {_COLUMNS}, d.body FROM webhook_deliveries d
WHERE d.id = :id AND d.endpoint_id = :endpoint AND d.owner_id = :owner
""")  # noqa: S608  # put together from constants


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(**{**row._mapping, "status": DeliveryStatus(row.status)})


def read(owner_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> Steps[DeliveryView]:
    """One delivery, whole.

    Raises:
        WebhookNotFound, DeliveryNotFound.
    """
    yield from endpoints.read(owner_id, endpoint_id)
    row = (yield bind(_ONE, id=delivery_id, endpoint=endpoint_id, owner=owner_id)).first()
    if row is None:
        raise DeliveryNotFound
    return _view(row)


@dataclass(frozen=True)
class Filter:
    """Which deliveries a list shows; None means any."""

    status: DeliveryStatus | None = None
    type: str | None = None


def page(
    owner_id: UUID,
    endpoint_id: UUID,
    which: Filter,
    *,
    limit: int,
    offset: int = 0,
    after: After | None = None,
) -> Steps[tuple[list[DeliveryView], int, After | None]]:
    """Deliveries of an endpoint, newest first, how many there are in all, and where to go on.

    Args:
        after: only what comes after this place of the log.

    Raises:
        WebhookNotFound
    """
    yield from endpoints.read(owner_id, endpoint_id)
    conditions = "d.endpoint_id = :endpoint AND d.owner_id = :owner"
    values: dict[str, Any] = {"endpoint": endpoint_id, "owner": owner_id}
    if which.status is not None:
        conditions, values["status"] = conditions + " AND d.status = :status", which.status.value
    if which.type is not None:
        conditions, values["type"] = conditions + " AND d.type = :type", which.type
    # put together from the constants above; values are always bound
    counted = text(f"SELECT count(*) FROM webhook_deliveries d WHERE {conditions}")  # noqa: S608
    total = (yield bind(counted, **values)).scalar_one()
    if after is not None:
        conditions += " AND (d.created_at, d.id) < (:at, :id)"
        values |= {"at": after.at, "id": after.id}
    wanted = text(
        f"SELECT {_COLUMNS}, NULL AS body FROM webhook_deliveries d WHERE {conditions}"  # noqa: S608
        " ORDER BY d.created_at DESC, d.id DESC LIMIT :limit OFFSET :offset"
    )
    rows = (yield bind(wanted, **values, limit=limit + 1, offset=offset)).all()
    found = [_view(row) for row in rows[:limit]]
    more = len(rows) > limit
    return found, int(total), After(found[-1].created_at, found[-1].id) if more else None


_PING = text("""
INSERT INTO webhook_deliveries (id, owner_id, endpoint_id, type, event_at)
VALUES (:id, :owner, :endpoint, :type, now())
""")
_AWAKE = text("UPDATE webhook_endpoints SET rest_until = NULL WHERE id = :id AND owner_id = :owner")


def _awake(owner_id: UUID, endpoint_id: UUID) -> Steps[None]:
    """Who asks for a message now does not wait for the end of a rest.

    Raises:
        WebhookNotFound, WebhookDisabled.
    """
    endpoint = yield from endpoints.read(owner_id, endpoint_id, lock=True)
    if not endpoint.enabled:
        raise WebhookDisabled
    if endpoint.rest_until is not None:
        yield bind(_AWAKE, id=endpoint_id, owner=owner_id)


def ping(
    owner_id: UUID, endpoint_id: UUID, key: IdempotencyKey | None = None
) -> Steps[tuple[DeliveryView, bool]]:
    """Have a message sent that tells of no event.

    Returns:
        Its delivery, and whether an earlier request with the key had made it.

    Raises:
        WebhookNotFound, WebhookDisabled.
        KeyReused, KeyInFlight: see `take_key`.
    """
    delivery_id = public_id()
    if key is not None:
        earlier = yield from take_key(owner_id, key, 202, delivery_id)
        if earlier != delivery_id:
            return (yield from read(owner_id, endpoint_id, earlier)), True
    yield from _awake(owner_id, endpoint_id)
    yield bind(_PING, id=delivery_id, owner=owner_id, endpoint=endpoint_id, type=PING)
    return (yield from read(owner_id, endpoint_id, delivery_id)), False


# An attempt that is underway ends as it ends; it is not sent a second time beside itself.
_REPLAY = text("""
UPDATE webhook_deliveries SET status = 'pending', due_at = now(), tries = 0, finished_at = NULL
WHERE id = :id AND endpoint_id = :endpoint AND owner_id = :owner AND fence IS NULL
""")


def replay(owner_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> Steps[DeliveryView]:
    """Send the same message once more, with the same id, now; its schedule begins anew.

    Raises:
        WebhookNotFound, DeliveryNotFound, WebhookDisabled.
    """
    yield from read(owner_id, endpoint_id, delivery_id)
    # the endpoint's row before the delivery's, as everybody locks them
    yield from _awake(owner_id, endpoint_id)
    yield bind(_REPLAY, id=delivery_id, endpoint=endpoint_id, owner=owner_id)
    return (yield from read(owner_id, endpoint_id, delivery_id))

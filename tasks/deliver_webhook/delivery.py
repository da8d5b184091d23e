"""One attempt of a delivery from claim to end; nothing is held open while the endpoint thinks."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from core.database import Steps, perform, store_is_away
from core.log import log
from services.jobs import views
from services.jobs.errors import JobNotFound
from services.webhooks import attempts, payload
from services.webhooks.addresses import Rules
from services.webhooks.attempts import Delivery, Material
from services.webhooks.deliveries import message_id
from services.webhooks.dispatch import LANE
from services.webhooks.sender import Answer, Sender
from services.webhooks.vault import SecretUnreadable, Vault, signed
from tasks import process
from tasks.patience import patiently

#: How long a claim is tried while Postgres is away; housekeeping sends the message again.
CLAIM_PATIENCE_S = 10.0
#: The lease covers the attempt and, twice, what may delay its end; then it is sent again.
LEASE_EXTRA_S = 15.0


def deliver(delivery_id: UUID, attempt: int) -> str:
    """Send a message if it is due and nobody else does.

    Returns:
        What became of it, for the log.
    """
    here = process.current()
    lease_s = here.settings.webhook_timeout_s + 2 * LEASE_EXTRA_S
    claimed = patiently(CLAIM_PATIENCE_S, lambda: _claim(here, delivery_id, attempt, lease_s))
    if claimed is None:
        return "not there to take"
    try:
        answer = _send(here, claimed)
        ended = patiently(LEASE_EXTRA_S, lambda: _end(here, claimed, answer))
    finally:
        here.publisher.deliveries_wait()
        here.publisher.room_made(LANE)
    log.info(
        "webhook_attempted",
        delivery_id=str(claimed.id),
        webhook_id=str(claimed.endpoint_id),
        attempt=claimed.attempt,
        status=answer.status,
        error=answer.error,
        duration_ms=answer.duration_ms,
    )
    if not ended:
        return "lost"
    return "delivered" if answer.delivered else "failed"


def _claim(
    here: process.Process, delivery_id: UUID, attempt: int, lease_s: float
) -> Delivery | None:
    with here.engine.transaction() as session:
        steps = attempts.claim(delivery_id, attempt, worker_id=here.worker_id, lease_s=lease_s)
        return perform(session, steps)


def _end(here: process.Process, delivery: Delivery, answer: Answer) -> bool:
    with here.engine.transaction() as session:
        return perform(session, attempts.end(delivery, answer))


def _send(here: process.Process, delivery: Delivery) -> Answer:
    """Make the message and post it.

    Raises:
        Exception: the store's; the lease then frees the delivery.
    """
    try:
        return _post(here, delivery)
    except JobNotFound:
        return Answer(None, "the job was deleted before the first attempt", 0, final=True)
    except Exception as error:
        if store_is_away(error):
            raise
        log.error("webhook_not_sent_by_a_bug", exc_info=error)
        return Answer(None, "an error on our side", 0)


def _post(here: process.Process, delivery: Delivery) -> Answer:
    with here.app.transaction(delivery.owner_id) as session:
        made = perform(session, _make(delivery))
    if made is None:
        return Answer(None, "the webhook was deleted", 0, final=True)
    material, body = made
    vault = Vault.from_settings(here.settings)
    try:
        keys = [vault.open(delivery.endpoint_id, each) for each in material.secrets]
    except SecretUnreadable:
        log.error("webhook_secret_unreadable", webhook_id=str(delivery.endpoint_id))
        return Answer(None, "our key to the secret was changed: rotate the secret", 0)
    number = message_id(delivery.id, material.job_id, material.seq)
    headers = signed(keys, number, datetime.now(UTC), body)
    sender = Sender(Rules.of(here.settings), here.settings.webhook_timeout_s)
    return sender.post(material.url, headers, body.encode())


def _make(delivery: Delivery) -> Steps[tuple[Material, str] | None]:
    """What to send; the first attempt renders it for all that follow.

    Raises:
        JobNotFound
    """
    material = yield from attempts.material(delivery)
    if material is None or material.body is not None:
        return None if material is None else (material, material.body or "")
    if material.job_id is None:
        body = payload.ping_body(material.type, material.event_at, str(delivery.endpoint_id))
    else:
        view = yield from views.read(delivery.owner_id, material.job_id)
        body = payload.event_body(
            material.type, material.event_at, material.seq, view, material.event
        )
    yield from attempts.keep_body(delivery, body)
    return material, body

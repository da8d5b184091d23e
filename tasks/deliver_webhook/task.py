"""The message `deliver_webhook`: no kind of job, for nobody may create one or see it as one."""

from uuid import UUID

from celery import shared_task

from core.broker import MESSAGE_VERSION
from core.log import log
from services.webhooks.dispatch import DELIVER
from tasks.deliver_webhook.delivery import deliver


@shared_task(name=DELIVER)
def message(job_id: str, attempt: int, trace: str | None = None, v: int = 1) -> str:
    """Deliver once. The members are those of every message; `job_id` is the delivery's."""
    del trace
    if v > MESSAGE_VERSION:
        log.warning("message_left_to_a_later_release", kind=DELIVER, version=v)
        return "left to a later release"
    return deliver(UUID(job_id), attempt)

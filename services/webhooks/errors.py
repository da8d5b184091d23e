"""What can be wrong with what is asked of a webhook."""

from __future__ import annotations

from core.errors import Conflict, NotFound


class WebhookNotFound(NotFound):
    """There is no such webhook."""

    code = "WEBHOOK_NOT_FOUND"


class DeliveryNotFound(NotFound):
    """There is no such delivery of this webhook."""

    code = "DELIVERY_NOT_FOUND"


class TooManyWebhooks(Conflict):
    """You have as many webhooks as one user may."""

    code = "TOO_MANY_WEBHOOKS"


class WebhookDisabled(Conflict):
    """This webhook is switched off; enable it first."""

    code = "WEBHOOK_DISABLED"

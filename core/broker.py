"""The one Celery application, for those who send and those who serve."""

from __future__ import annotations

from celery import Celery

#: Configuration is read when first needed, so importing this costs no settings.
celery_app = Celery("wheels-and-wins", set_as_current=True)
celery_app.config_from_object("celeryconfig")

#: Version of the message format; a worker leaves messages of a later one to a later worker.
MESSAGE_VERSION = 1

#: Where processes tell each other that the log of a job grew: ids, separated by spaces.
HINTS = "wheels:hints"

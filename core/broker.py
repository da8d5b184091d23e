"""The one Celery application, for those who send and those who serve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from uuid import UUID

from celery import Celery

#: Configuration is read when first needed, so importing this costs no settings.
celery_app = Celery("wheels-and-wins", set_as_current=True)
celery_app.config_from_object("celeryconfig")

#: Version of the message format; a worker leaves messages of a later one to a later worker.
MESSAGE_VERSION = 1

#: Where processes tell each other that the logs of jobs grew, see `write_hints`.
HINTS = "wheels:hints"

#: A job and its owner.
Grown = tuple[UUID, UUID]


def write_hints(grown: Iterable[Grown]) -> str:
    """Pairs `job:owner`, separated by spaces."""
    return " ".join(f"{job_id}:{owner_id}" for job_id, owner_id in grown)


def read_hints(message: bytes | str) -> Iterator[Grown]:
    """What a hint names; the broker may say anything, and nonsense is passed over."""
    text = message.decode("ascii", "replace") if isinstance(message, bytes) else message
    for pair in text.split():
        job_id, _, owner_id = pair.partition(":")
        with suppress(ValueError):
            yield UUID(job_id), UUID(owner_id)

"""Waiting out a Postgres that is away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from core.database import store_is_away
from core.log import log

T = TypeVar("T")


def patiently(patience_s: float, call: Callable[[], T]) -> T:
    """Repeat a call while Postgres is away.

    Raises:
        Exception: the call's, if it is another, or when patience ends; the lease then
            frees the job.
    """
    give_up_at, pause = time.monotonic() + patience_s, 0.1
    while True:
        try:
            return call()
        except Exception as error:
            if not store_is_away(error) or time.monotonic() + pause > give_up_at:
                raise
            log.warning("store_away", error=repr(error.__class__.__name__), retry_in_s=pause)
            time.sleep(pause)
            pause = min(2.0, pause * 2)

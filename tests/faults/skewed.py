"""A worker whose clock is wrong by `SKEW_S` seconds: `celery -A tests.faults.skewed worker`."""

import os
import time

_true_time = time.time
# before anything else is imported, so that nobody keeps the true one
time.time = lambda: _true_time() + float(os.environ["SKEW_S"])

from tests.faults.app import app, kinds  # noqa: E402

__all__ = ["app", "kinds"]

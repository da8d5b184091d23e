"""The worker of the product plus the kinds of the tests: `celery -A tests.faults.app worker`."""

from tests.faults import kinds
from workers.app import app

__all__ = ["app", "kinds"]

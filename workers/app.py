"""Entry point of `celery -A workers.app worker`; imported by nobody."""

from core.broker import celery_app
from workers import lifecycle

lifecycle.install()

app = celery_app

__all__ = ["app"]

"""Entry point of `celery -A workers.app worker`; imported by nobody."""

from core.broker import celery_app
from workers import lifecycle
from workers.telling import Telling

lifecycle.install()
celery_app.steps["consumer"].add(Telling)

app = celery_app

__all__ = ["app"]

"""The tables, gathered for migrations."""

from models import job, road, schedule, trip, user, webhook
from models.base import metadata

__all__ = ["job", "metadata", "road", "schedule", "trip", "user", "webhook"]

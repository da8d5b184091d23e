"""The tables, gathered for migrations."""

from models import job, operator, road, schedule, trip, user, vehicle, webhook
from models.base import metadata

__all__ = ["job", "metadata", "operator", "road", "schedule", "trip", "user", "vehicle", "webhook"]

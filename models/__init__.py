"""The tables, gathered for migrations."""

from models import job, road, trip, user, webhook
from models.base import metadata

__all__ = ["job", "metadata", "road", "trip", "user", "webhook"]

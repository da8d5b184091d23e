"""The tables, gathered for migrations."""

from models import job, operator, road, trip, user
from models.base import metadata

__all__ = ["job", "metadata", "operator", "road", "trip", "user"]

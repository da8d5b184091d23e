"""The tables, gathered for migrations."""

from models import (
    book,
    job,
    operator,
    receipt,
    road,
    schedule,
    trip,
    user,
    vehicle,
    webhook,
)
from models.base import metadata

__all__ = [
    "book",
    "job",
    "metadata",
    "operator",
    "receipt",
    "road",
    "schedule",
    "trip",
    "user",
    "vehicle",
    "webhook",
]

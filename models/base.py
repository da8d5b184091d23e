"""What all tables share: naming of constraints, UTC times, and the policies of their rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, MetaData
from sqlmodel import SQLModel

#: Constraints have names that a migration can find again on every server.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata: MetaData = SQLModel.metadata

#: The type of every point in time: stored with zone, read as UTC.
UTC_TIME: Any = DateTime(timezone=True)


def now() -> datetime:
    """The present, in UTC. Rows that decide anything use the clock of Postgres instead."""
    return datetime.now(UTC)


#: The owner of the running transaction, as row-level security sees it (see 0001).
CURRENT_USER_ID = "current_user_id()"

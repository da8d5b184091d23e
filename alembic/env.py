"""Run migrations as the owner of the schema, one transaction each."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text
from sqlalchemy.dialects.postgresql.base import ischema_names

import models
from core.settings import get_settings
from models.job import XID8

# a type that SQLAlchemy does not know: the comparison with the models meets it
ischema_names["xid8"] = XID8


def run() -> None:
    # prepared statements off: the address may lead through a pooler
    engine = create_engine(
        context.config.attributes.get("url") or get_settings().migration_url,
        poolclass=pool.NullPool,
        connect_args={"connect_timeout": 10, "prepare_threshold": None},
    )
    with engine.connect() as connection:
        # two releases that start at once must not migrate side by side; the lock
        # belongs to this transaction, so a pooler may stand in between
        context.configure(
            connection=connection,
            target_metadata=models.metadata,
            transaction_per_migration=False,
            compare_type=True,
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(7233905112)"))
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            context.run_migrations()
    engine.dispose()


run()

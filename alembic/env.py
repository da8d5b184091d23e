"""Run the migrations of a release as the owner of the schema: all of them, or none."""

from __future__ import annotations

import logging
import random
import time

from alembic import context
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine, create_engine, pool, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.exc import OperationalError

import models
from core.settings import get_settings
from models.job import XID8

# a type that SQLAlchemy does not know: the comparison with the models meets it
ischema_names["xid8"] = XID8

#: Whoever waits for the lock of a table holds up all who come after, so it waits this long only.
LOCK_TIMEOUT = "2s"
#: How long it is tried again, with pauses that let the others through. Seconds.
PATIENCE_S = 60.0
#: Longest pause between two tries. Seconds.
PAUSE_CAP_S = 5.0

log = logging.getLogger("alembic.env")


def run() -> None:
    # prepared statements off: the address may lead through a pooler
    engine = create_engine(
        context.config.attributes.get("url") or get_settings().migration_url,
        poolclass=pool.NullPool,
        connect_args={"connect_timeout": 10, "prepare_threshold": None},
    )
    give_up_at = time.monotonic() + context.config.attributes.get("patience_s", PATIENCE_S)
    pause_s = 0.5
    while True:
        try:
            _migrate(engine)
            break
        except OperationalError as error:
            is_held = isinstance(error.orig, LockNotAvailable)
            if not is_held or time.monotonic() + pause_s > give_up_at:
                raise
            log.warning("a table is held by somebody; again in %.1f s", pause_s)
        time.sleep(pause_s)
        pause_s = min(PAUSE_CAP_S, pause_s * random.uniform(1.5, 2.5))  # noqa: S311
    engine.dispose()


def _migrate(engine: Engine) -> None:
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
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            context.run_migrations()


run()

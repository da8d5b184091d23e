"""Two releases side by side, and tables that change under traffic: scenarios 23 and 24."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from celery import Celery
from sqlalchemy.exc import OperationalError

from core.broker import MESSAGE_VERSION
from tests.faults.conftest import Floor
from tests.faults.oracle import Oracle
from tests.stack import ROOT, until

# One table only: who locks a second one in the same transaction waits for requests that wait
# for the first, and Postgres ends one of the two as a deadlock.
EXPAND = '''"""Room for what the next release wants to say of a job."""

from alembic import op

revision = "9999_expand"
down_revision = {head!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN mood text DEFAULT 'calm'")


def downgrade() -> None:
    op.execute("ALTER TABLE jobs DROP COLUMN mood")
'''


class TestOldAndNewWorkers:
    def test_a_message_of_a_later_release_is_left_to_it(self, floor: Floor) -> None:
        """23: this worker drops the message; the job waits for one that it can read."""
        old = floor.worker()
        (job_id,) = floor.submit()
        sender = Celery(broker=floor.stores.valkey.url())
        sender.conf.broker_transport_options = {"global_keyprefix": "wheels:"}
        message = {"job_id": str(job_id), "attempt": 0, "v": MESSAGE_VERSION + 1}
        sender.send_task("nap", kwargs=message, queue="compute")
        sender.close()
        until(lambda: "message_left_to_a_later_release" in old.output())
        assert floor.lab.status(job_id) == "queued"
        assert floor.lab.events(job_id) == ["job.queued"]
        floor.housekeeping()
        floor.ended()
        floor.check()

    def test_a_kind_that_only_the_new_release_knows_is_not_lost(self, floor: Floor) -> None:
        """23: the old worker is given its message, and cannot know what it means."""
        floor.housekeeping()
        old = floor.worker(app="workers.app")
        (job_id,) = floor.submit()
        until(lambda: "unregistered task" in old.output())
        assert floor.lab.status(job_id) == "queued"
        assert old.process.poll() is None
        floor.worker()
        assert old.stop() == 0
        floor.ended()
        floor.check()
        assert floor.stores.one("SELECT attempt FROM jobs WHERE id = %s", job_id) == 1


@pytest.fixture
def migrations(floor: Floor, tmp_path: Path) -> Config:
    """The product's, and one more that only adds columns."""
    config = Config(ROOT / "alembic.ini")
    head = floor.stores.one("SELECT version_num FROM alembic_version")
    (tmp_path / "9999_expand.py").write_text(EXPAND.format(head=head))
    config.set_main_option("version_locations", f"{ROOT / 'alembic' / 'versions'}\n{tmp_path}")
    config.set_main_option("path_separator", "newline")
    config.attributes["url"] = floor.stores.env()["DATABASE_URL"].replace(
        "postgresql://", "postgresql+psycopg://"
    )
    return config


class TestMigrations:
    def test_run_under_load_without_one_refusal(self, floor: Floor, migrations: Config) -> None:
        """24: expand and contract while clients submit and workers work."""
        floor.housekeeping()
        floor.worker()
        client = floor.client(floor.api().url)
        with client.load(per_s=20):
            for step in (command.upgrade, command.downgrade, command.upgrade, command.downgrade):
                step(migrations, "head" if step is command.upgrade else "-1")
                wanted = range(len(client.accepted) + 15)
                until(partial(lambda wanted: len(client.accepted) not in wanted, wanted))
        assert client.refusals == []
        floor.ended(client.accepted)
        report = Oracle(floor.stores.postgres.dsn("postgres")).check(client.accepted, effects=False)
        assert report.violations == []
        assert set(report.statuses) == {"succeeded"}, report.statuses

    def test_wait_in_turns_where_a_long_transaction_holds_the_table(
        self, floor: Floor, migrations: Config
    ) -> None:
        """24: who waits for such a lock holds up everybody behind it, so it lets them through."""
        slowest, migrated = 0.0, threading.Event()

        def read_on() -> None:
            nonlocal slowest
            while not migrated.wait(0.05):
                began = time.monotonic()
                floor.stores.one("SELECT count(*) FROM jobs")
                slowest = max(slowest, time.monotonic() - began)

        others = threading.Thread(target=read_on)
        with psycopg.connect(floor.stores.postgres.dsn("postgres")) as reader:
            reader.execute("SELECT count(*) FROM jobs")
            leaves = threading.Timer(4, reader.rollback)
            leaves.start()
            others.start()
            command.upgrade(migrations, "head")
            migrated.set()
            leaves.join()
        others.join()
        assert floor.stores.one("SELECT version_num FROM alembic_version") == "9999_expand"
        command.downgrade(migrations, "-1")
        assert 1 < slowest < 3.5, "held up once, and let through at the end of the wait"

    def test_give_up_where_it_does_not_end(self, floor: Floor, migrations: Config) -> None:
        migrations.attributes["patience_s"] = 1
        with psycopg.connect(floor.stores.postgres.dsn("postgres")) as reader:
            reader.execute("SELECT count(*) FROM jobs")
            with pytest.raises(OperationalError, match="lock timeout"):
                command.upgrade(migrations, "head")
        assert floor.stores.one("SELECT version_num FROM alembic_version") != "9999_expand"

"""The feed of all jobs of a user, and the tickets that open a stream without a header."""

from __future__ import annotations

from alembic import op

revision = "0007_feed"
down_revision = "0006_fairness"
branch_labels = None
depends_on = None

INDEX = "CREATE INDEX ix_job_events_feed ON job_events (owner_id, xid, job_id, seq)"

# A transaction gets its id with its first write, and may wait for a job's row after that: so
# an event could carry an id below that of the event before it. It takes the greater of the
# two. That keeps each job's events in order, and still holds its transaction back: while one
# of a lower id is open, nothing from the greater one on is served.
FOLLOWS = """
CREATE FUNCTION job_event_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT greatest(NEW.xid, xid) INTO NEW.xid FROM job_events
    WHERE job_id = NEW.job_id AND seq = NEW.seq - 1;
    IF NOT FOUND THEN NEW.xid := pg_current_xact_id(); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_event_follows BEFORE INSERT ON job_events
    FOR EACH ROW WHEN (NEW.seq > 1) EXECUTE FUNCTION job_event_follows()
"""

TICKETS = """
CREATE TABLE stream_tickets (
    hash bytea CONSTRAINT pk_stream_tickets PRIMARY KEY,
    owner_id uuid NOT NULL
        CONSTRAINT fk_stream_tickets_owner_id REFERENCES users (id) ON DELETE CASCADE,
    job_id uuid CONSTRAINT fk_stream_tickets_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX ix_stream_tickets_expires_at ON stream_tickets (expires_at);
CREATE INDEX ix_stream_tickets_owner_id ON stream_tickets (owner_id);
CREATE INDEX ix_stream_tickets_job_id ON stream_tickets (job_id)
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(INDEX)
    _run(FOLLOWS)
    _run(TICKETS)
    _run("ALTER TABLE stream_tickets ENABLE ROW LEVEL SECURITY")
    _run("ALTER TABLE stream_tickets FORCE ROW LEVEL SECURITY")
    mine = "(owner_id = (SELECT current_user_id()))"
    _run(f"CREATE POLICY owner ON stream_tickets TO wheels_app USING {mine} WITH CHECK {mine}")
    # who comes with a ticket is nobody yet: the process looks for its hash
    _run("CREATE POLICY engine ON stream_tickets TO wheels_engine USING (true)")
    _run("GRANT SELECT, INSERT ON stream_tickets TO wheels_app")
    _run("GRANT SELECT, UPDATE, DELETE ON stream_tickets TO wheels_engine")


def downgrade() -> None:
    _run("DROP TABLE stream_tickets")
    _run("DROP TRIGGER job_event_follows ON job_events")
    _run("DROP FUNCTION job_event_follows")
    _run("DROP INDEX ix_job_events_feed")

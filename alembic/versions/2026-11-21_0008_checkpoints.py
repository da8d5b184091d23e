"""What clients want of a job: checkpoints, attempts by worker, supersession, batches, reasons."""

from __future__ import annotations

from alembic import op

revision = "0008_checkpoints"
down_revision = "0007_feed"
branch_labels = None
depends_on = None

# In the order in which requests and workers lock these tables, so that neither side waits for
# the other while it holds what the other waits for.
COLUMNS = """
ALTER TABLE idempotency_keys ADD COLUMN resource_ids uuid[];
ALTER TABLE jobs ADD COLUMN supersedes text;
ALTER TABLE job_attempts ADD COLUMN worker text
"""

# `json` and not `jsonb`: it is read back as it was written, and nothing looks inside of it.
CHECKPOINTS = """
CREATE TABLE job_checkpoints (
    job_id uuid CONSTRAINT pk_job_checkpoints PRIMARY KEY
        CONSTRAINT fk_job_checkpoints_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    owner_id uuid NOT NULL,
    attempt integer NOT NULL,
    state json NOT NULL,
    size_bytes integer NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now()
)
"""

# Whoever ends a job, a worker of the release before included, drops what it had reached.
DROPPED = """
CREATE FUNCTION job_checkpoint_is_dropped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM job_checkpoints WHERE job_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER job_checkpoint_is_dropped AFTER UPDATE OF finished_at ON jobs
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL)
    EXECUTE FUNCTION job_checkpoint_is_dropped()
"""

# What a lane is like, in numbers: who asks why a job waits sees only its owner's rows, and
# may learn of others no more than how many there are.
LANE_STATE = """
CREATE FUNCTION lane_state(in_lane text, in_kind text, beat_s float8)
RETURNS TABLE (workers integer, draining integer, slots integer, running integer,
               sent integer, kind_under_way integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT w.workers, w.draining, w.slots, j.running, j.sent, j.kind_under_way FROM (
        SELECT count(*) FILTER (WHERE draining_at IS NULL)::integer AS workers,
            count(*) FILTER (WHERE draining_at IS NOT NULL)::integer AS draining,
            coalesce(sum(workers.slots) FILTER (WHERE draining_at IS NULL), 0)::integer AS slots
        FROM workers
        WHERE lane = in_lane AND ended_at IS NULL
          AND beat_at > now() - make_interval(secs => beat_s)) w,
    (SELECT count(*) FILTER (WHERE status = 'running')::integer AS running,
            count(*) FILTER (WHERE status = 'queued')::integer AS sent,
            count(*) FILTER (WHERE kind = in_kind)::integer AS kind_under_way
        FROM jobs
        WHERE lane = in_lane
          AND (status = 'running' OR status = 'queued' AND admitted_at IS NOT NULL)) j
$$;
REVOKE EXECUTE ON FUNCTION lane_state FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lane_state TO wheels_app, wheels_engine
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(COLUMNS)
    _run(CHECKPOINTS)
    _run("ALTER TABLE job_checkpoints ENABLE ROW LEVEL SECURITY")
    _run("ALTER TABLE job_checkpoints FORCE ROW LEVEL SECURITY")
    mine = "(owner_id = (SELECT current_user_id()))"
    _run(f"CREATE POLICY owner ON job_checkpoints TO wheels_app USING {mine} WITH CHECK {mine}")
    _run("CREATE POLICY engine ON job_checkpoints TO wheels_engine USING (true) WITH CHECK (true)")
    # who ends a job drops its checkpoint: an owner's cancel as well as the engine room
    _run("GRANT SELECT, INSERT, UPDATE, DELETE ON job_checkpoints TO wheels_app, wheels_engine")
    _run(DROPPED)
    _run(LANE_STATE)


def downgrade() -> None:
    _run("DROP FUNCTION lane_state")
    _run("DROP TRIGGER job_checkpoint_is_dropped ON jobs")
    _run("DROP FUNCTION job_checkpoint_is_dropped")
    _run("DROP TABLE job_checkpoints")
    _run("ALTER TABLE idempotency_keys DROP COLUMN resource_ids")
    _run("ALTER TABLE jobs DROP COLUMN supersedes")
    _run("ALTER TABLE job_attempts DROP COLUMN worker")

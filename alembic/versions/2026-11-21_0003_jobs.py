"""The job layer: jobs with payload, run, attempts and log, workers, keys, artifacts."""

from __future__ import annotations

from alembic import op

revision = "0003_jobs"
down_revision = "0002_accounts"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE jobs (
    id uuid CONSTRAINT pk_jobs PRIMARY KEY,
    owner_id uuid NOT NULL CONSTRAINT fk_jobs_owner_id REFERENCES users (id) ON DELETE CASCADE,
    kind text NOT NULL,
    lane text NOT NULL,
    status text NOT NULL,
    seq integer NOT NULL DEFAULT 0,
    attempt integer NOT NULL DEFAULT 0,
    errors integer NOT NULL DEFAULT 0,
    crashes integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 3,
    tags text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz NOT NULL DEFAULT now(),
    admitted_at timestamptz,
    admissions integer NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    expires_at timestamptz,
    deadline_at timestamptz,
    start_by timestamptz,
    cancel_requested_at timestamptz,
    finish_requested_at timestamptz,
    superseded_by uuid,
    retry_of uuid,
    trace text,
    CONSTRAINT ck_jobs_status CHECK (status IN
        ('queued','running','waiting','succeeded','failed','cancelled','expired')),
    CONSTRAINT ck_jobs_finished CHECK
        ((status IN ('succeeded','failed','cancelled','expired')) = (finished_at IS NOT NULL)),
    CONSTRAINT ck_jobs_counts CHECK (attempt >= 0 AND errors >= 0 AND crashes >= 0)
);
CREATE INDEX ix_jobs_owner ON jobs (owner_id, id DESC);
CREATE INDEX ix_jobs_unfinished ON jobs (owner_id) WHERE finished_at IS NULL;
CREATE INDEX ix_jobs_queue ON jobs (lane, ready_at, id) WHERE status = 'queued';
CREATE INDEX ix_jobs_admitted ON jobs (lane, admitted_at)
    WHERE status = 'queued' AND admitted_at IS NOT NULL;
CREATE INDEX ix_jobs_running ON jobs (lane, id) WHERE status = 'running';
CREATE INDEX ix_jobs_deadline ON jobs (deadline_at)
    WHERE finished_at IS NULL AND deadline_at IS NOT NULL;
CREATE INDEX ix_jobs_start_by ON jobs (start_by) WHERE status = 'queued' AND start_by IS NOT NULL;
CREATE INDEX ix_jobs_pace ON jobs (kind, finished_at) WHERE status = 'succeeded';
CREATE INDEX ix_jobs_expires ON jobs (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE job_payloads (
    job_id uuid CONSTRAINT pk_job_payloads PRIMARY KEY
        CONSTRAINT fk_job_payloads_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    owner_id uuid NOT NULL,
    input jsonb NOT NULL,
    input_size integer NOT NULL,
    result jsonb,
    result_size integer,
    error jsonb
);

CREATE TABLE job_runs (
    job_id uuid CONSTRAINT pk_job_runs PRIMARY KEY
        CONSTRAINT fk_job_runs_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    owner_id uuid NOT NULL,
    fence uuid,
    worker_id uuid,
    pid integer,
    lease_until timestamptz,
    progress jsonb
) WITH (fillfactor = 50);

CREATE TABLE job_attempts (
    fence uuid CONSTRAINT pk_job_attempts PRIMARY KEY,
    job_id uuid NOT NULL
        CONSTRAINT fk_job_attempts_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    owner_id uuid NOT NULL,
    attempt integer NOT NULL,
    worker_id uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    outcome text,
    error jsonb
);
CREATE INDEX ix_job_attempts_job ON job_attempts (job_id, started_at);

CREATE TABLE job_events (
    job_id uuid NOT NULL
        CONSTRAINT fk_job_events_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    seq integer NOT NULL,
    owner_id uuid NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT pk_job_events PRIMARY KEY (job_id, seq)
);

CREATE TABLE workers (
    id uuid CONSTRAINT pk_workers PRIMARY KEY,
    name text NOT NULL,
    lane text NOT NULL,
    slots integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    beat_at timestamptz NOT NULL DEFAULT now(),
    draining_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX ix_workers_name ON workers (name);

CREATE TABLE idempotency_keys (
    owner_id uuid NOT NULL
        CONSTRAINT fk_idempotency_keys_owner_id REFERENCES users (id) ON DELETE CASCADE,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    resource_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (owner_id, key)
);
CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);

CREATE TABLE artifacts (
    id uuid CONSTRAINT pk_artifacts PRIMARY KEY,
    job_id uuid NOT NULL CONSTRAINT fk_artifacts_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    owner_id uuid NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    size_bytes integer NOT NULL,
    sha256 text NOT NULL,
    location text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX ix_artifacts_job_id ON artifacts (job_id)
"""

# models.job.LEGAL_MOVES says the same; a test compares the two move by move.
LEGAL_MOVES = """
CREATE FUNCTION job_moves_legally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL AND (NEW.status, NEW.seq, NEW.finished_at)
        IS DISTINCT FROM (OLD.status, OLD.seq, OLD.finished_at) THEN
        RAISE EXCEPTION 'job % has ended as %', OLD.id, OLD.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'queued' THEN NEW.status IN ('running', 'failed', 'cancelled', 'expired')
        WHEN 'running' THEN NEW.status IN ('queued', 'waiting', 'succeeded', 'failed', 'cancelled')
        WHEN 'waiting' THEN NEW.status IN ('queued', 'failed', 'cancelled')
        ELSE false END) THEN
        RAISE EXCEPTION 'job % may not move from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.seq < OLD.seq THEN
        RAISE EXCEPTION 'the log of job % may not shrink', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_move_legally BEFORE UPDATE OF status, seq, finished_at ON jobs
    FOR EACH ROW EXECUTE FUNCTION job_moves_legally()
"""

# How many jobs stand before one in its lane, itself included; NULL past a thousand. It
# counts other users' jobs without showing them, so it runs as the owner of the tables.
QUEUE_RANK = """
CREATE FUNCTION queue_rank(in_lane text, ready timestamptz, job uuid) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE WHEN count(*) < 1000 THEN count(*) + 1 END::integer FROM (
        SELECT FROM jobs
        WHERE lane = in_lane AND status = 'queued' AND (ready_at, id) < (ready, job)
        LIMIT 1000) before_it
$$;
REVOKE EXECUTE ON FUNCTION queue_rank FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_rank TO wheels_app, wheels_engine
"""

# How many messages more a lane's broker queue may hold: so many per living slot, less those
# that wait there. Also asked at a submit, which sees only its owner's rows.
LANE_ROOM = """
CREATE FUNCTION lane_room(in_lane text, per_slot integer, unserved integer, beat_s float8)
RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT greatest(0, greatest(unserved, per_slot * (
        SELECT coalesce(sum(slots), 0) FROM workers
        WHERE lane = in_lane AND ended_at IS NULL AND draining_at IS NULL
          AND beat_at > now() - make_interval(secs => beat_s))) - (
        SELECT count(*) FROM jobs
        WHERE lane = in_lane AND status = 'queued' AND admitted_at IS NOT NULL))::integer
$$;
REVOKE EXECUTE ON FUNCTION lane_room FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lane_room TO wheels_app, wheels_engine
"""

# Whether any job of a lane could be admitted now: who comes later must not pass it.
LANE_WAITS = """
CREATE FUNCTION lane_waits(in_lane text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM jobs
        WHERE lane = in_lane AND status = 'queued' AND admitted_at IS NULL AND ready_at <= now())
$$;
REVOKE EXECUTE ON FUNCTION lane_waits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lane_waits TO wheels_app, wheels_engine
"""

OWNED = ("jobs", "job_payloads", "job_runs", "job_attempts", "job_events", "artifacts")


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is, `%` included, when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    _run(LEGAL_MOVES)
    for table in (*OWNED, "idempotency_keys"):
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        # the subselect is evaluated once per statement, not once per row
        mine = "(owner_id = (SELECT current_user_id()))"
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
        _run(f"CREATE POLICY engine ON {table} TO wheels_engine USING (true) WITH CHECK (true)")
        _run(f"GRANT SELECT, INSERT, UPDATE ON {table} TO wheels_app")
        _run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO wheels_engine")
    _run("GRANT SELECT, INSERT, UPDATE, DELETE ON workers TO wheels_engine")
    _run("CREATE POLICY rank ON jobs FOR SELECT TO CURRENT_USER USING (true)")
    _run(QUEUE_RANK)
    _run(LANE_ROOM)
    _run(LANE_WAITS)


def downgrade() -> None:
    _run("DROP FUNCTION queue_rank, lane_room, lane_waits")
    _run(
        "DROP TABLE artifacts, idempotency_keys, workers, job_events, job_attempts, job_runs,"
        " job_payloads, jobs"
    )
    _run("DROP FUNCTION job_moves_legally")

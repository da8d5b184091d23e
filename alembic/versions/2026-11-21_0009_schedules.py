"""Schedules: what the clock submits, and what became of each period."""

from __future__ import annotations

from alembic import op

revision = "0009_schedules"
down_revision = "0008_checkpoints"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE schedules (
    id uuid CONSTRAINT pk_schedules PRIMARY KEY,
    owner_id uuid NOT NULL
        CONSTRAINT fk_schedules_owner_id REFERENCES users (id) ON DELETE CASCADE,
    title text NOT NULL DEFAULT '',
    kind text NOT NULL,
    input jsonb NOT NULL,
    cron text NOT NULL,
    zone text NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    priority text NOT NULL
        CONSTRAINT ck_schedules_priority CHECK (priority IN ('interactive', 'batch')),
    catch_up text NOT NULL
        CONSTRAINT ck_schedules_catch_up CHECK (catch_up IN ('one', 'none', 'all')),
    enabled boolean NOT NULL,
    starts_at timestamptz,
    ends_at timestamptz,
    next_run_at timestamptz,
    due_at timestamptz,
    last_run_at timestamptz,
    last_job_id uuid,
    last_error jsonb,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_schedules_id_owner_id UNIQUE (id, owner_id),
    CONSTRAINT ck_schedules_due CHECK ((next_run_at IS NULL) = (due_at IS NULL)),
    CONSTRAINT ck_schedules_disabled CHECK (enabled OR next_run_at IS NULL)
);
CREATE INDEX ix_schedules_owner ON schedules (owner_id, id DESC);
CREATE INDEX ix_schedules_due ON schedules (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE schedule_runs (
    id uuid CONSTRAINT pk_schedule_runs PRIMARY KEY,
    schedule_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    period_at timestamptz,
    through_at timestamptz,
    outcome text NOT NULL
        CONSTRAINT ck_schedule_runs_outcome CHECK (outcome IN ('made', 'skipped')),
    job_id uuid,
    error jsonb,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_schedule_runs_schedule_id_period_at UNIQUE (schedule_id, period_at),
    CONSTRAINT ck_schedule_runs_job CHECK ((outcome = 'made') = (job_id IS NOT NULL)),
    CONSTRAINT fk_schedule_runs_schedule_id_owner_id FOREIGN KEY (schedule_id, owner_id)
        REFERENCES schedules (id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ix_schedule_runs_schedule ON schedule_runs (schedule_id, id DESC);
CREATE INDEX ix_schedule_runs_at ON schedule_runs (at)
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    mine = "(owner_id = (SELECT current_user_id()))"
    for table in ("schedules", "schedule_runs"):
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
        _run(f"CREATE POLICY engine ON {table} TO wheels_engine USING (true)")
    _run("GRANT SELECT, INSERT, UPDATE, DELETE ON schedules TO wheels_app")
    _run("GRANT SELECT, INSERT ON schedule_runs TO wheels_app")
    # the lifeline learns whose turn it is, and acts as the owner after that
    _run("GRANT SELECT (id, owner_id, due_at) ON schedules TO wheels_engine")
    _run("GRANT SELECT (id, at), DELETE ON schedule_runs TO wheels_engine")


def downgrade() -> None:
    _run("DROP TABLE schedule_runs")
    _run("DROP TABLE schedules")

"""What operators see and steer: counts, pauses, replays, and the record of their actions."""

from __future__ import annotations

from alembic import op

revision = "0014_operators"
down_revision = "0011_webhooks"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE counters (
    id uuid CONSTRAINT pk_counters PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    value bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE pauses (
    scope text NOT NULL CONSTRAINT ck_pauses_scope CHECK (scope IN ('kind', 'lane')),
    name text NOT NULL,
    reason text,
    paused_at timestamptz NOT NULL DEFAULT now(),
    paused_by uuid NOT NULL,
    CONSTRAINT pk_pauses PRIMARY KEY (scope, name)
);
CREATE TABLE replays (
    job_id uuid CONSTRAINT pk_replays PRIMARY KEY
        CONSTRAINT fk_replays_job_id REFERENCES jobs (id) ON DELETE CASCADE,
    successor_id uuid NOT NULL,
    replayed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE admin_actions (
    id uuid CONSTRAINT pk_admin_actions PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    admin_id uuid NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    request_id text
);
CREATE INDEX ix_jobs_failed ON jobs (finished_at, id) WHERE status = 'failed'
"""

# A record that can be rewritten proves nothing; so nobody may, the owner of the table included.
APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER admin_actions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON admin_actions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

GRANTS = """
GRANT SELECT, INSERT, DELETE ON counters TO wheels_engine;
GRANT SELECT, INSERT, DELETE ON pauses TO wheels_engine;
GRANT SELECT, INSERT ON replays TO wheels_engine;
GRANT SELECT, INSERT ON admin_actions TO wheels_engine;
-- which kinds stand still is what every waiting job says; who stopped them is not
GRANT SELECT (scope, name) ON pauses TO wheels_app
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    _run(APPEND_ONLY)
    _run(GRANTS)


def downgrade() -> None:
    _run("DROP TABLE admin_actions, replays, pauses, counters")
    _run("DROP FUNCTION refuse_change")
    _run("DROP INDEX ix_jobs_failed")

"""Webhooks: endpoints, and messages that a trigger writes together with the events they tell of."""

from __future__ import annotations

from alembic import op

revision = "0011_webhooks"
down_revision = "0010_children"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE webhook_endpoints (
    id uuid CONSTRAINT pk_webhook_endpoints PRIMARY KEY,
    owner_id uuid NOT NULL
        CONSTRAINT fk_webhook_endpoints_owner_id REFERENCES users (id) ON DELETE CASCADE,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    enabled boolean NOT NULL DEFAULT true,
    events text[] NOT NULL,
    kinds text[] NOT NULL DEFAULT '{}',
    tags text[] NOT NULL DEFAULT '{}',
    secret bytea NOT NULL,
    old_secret bytea,
    old_secret_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    exhausted integer NOT NULL DEFAULT 0,
    rest_until timestamptz,
    disabled_reason text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_webhook_endpoints_owner_id ON webhook_endpoints (owner_id);

CREATE TABLE webhook_deliveries (
    id uuid DEFAULT gen_random_uuid() CONSTRAINT pk_webhook_deliveries PRIMARY KEY,
    owner_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    job_id uuid,
    seq integer NOT NULL DEFAULT 0,
    type text NOT NULL,
    event_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT ck_webhook_deliveries_status
            CHECK (status IN ('pending', 'succeeded', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    tries smallint NOT NULL DEFAULT 0,
    due_at timestamptz DEFAULT now(),
    sent_at timestamptz,
    sends smallint NOT NULL DEFAULT 0,
    fence uuid,
    worker_id uuid,
    lease_until timestamptz,
    finished_at timestamptz,
    body text,
    log jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT ck_webhook_deliveries_due CHECK ((status = 'pending') = (due_at IS NOT NULL))
);
CREATE INDEX ix_webhook_deliveries_log ON webhook_deliveries (endpoint_id, created_at, id);
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at)
    WHERE status = 'pending' AND sent_at IS NULL;
CREATE INDEX ix_webhook_deliveries_busy ON webhook_deliveries (owner_id, endpoint_id)
    WHERE status = 'pending' AND sent_at IS NOT NULL;
CREATE INDEX ix_webhook_deliveries_created_at ON webhook_deliveries (created_at)
"""

# In the transaction of the event, whoever writes it and from whichever release: no event can be
# missed. It runs with the writer's own rights, and finds nothing by one look at an index where
# the owner has no endpoint. models.webhook.EVENTS names the same events.
FOLLOW = """
CREATE FUNCTION webhooks_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (owner_id, endpoint_id, job_id, seq, type, event_at)
    SELECT e.owner_id, e.id, NEW.job_id, NEW.seq, NEW.type, NEW.at
    FROM webhook_endpoints e
    WHERE e.owner_id = NEW.owner_id AND e.enabled AND NEW.type = ANY (e.events)
      AND (e.kinds = '{}' AND e.tags = '{}' OR EXISTS (
        SELECT FROM jobs j WHERE j.id = NEW.job_id
          AND (e.kinds = '{}' OR j.kind = ANY (e.kinds)) AND (e.tags = '{}' OR j.tags && e.tags)));
    RETURN NULL;
END $$;
CREATE TRIGGER webhooks_follow AFTER INSERT ON job_events FOR EACH ROW
    WHEN (NEW.type IN ('job.started', 'job.artifact', 'job.succeeded', 'job.failed',
                       'job.cancelled', 'job.expired'))
    EXECUTE FUNCTION webhooks_follow()
"""

# In place of a foreign key (see models.webhook). Also where an account is deleted, by the rights
# of the tables' owner, who is under the policies as well.
FORGET = """
CREATE FUNCTION webhooks_forget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    DELETE FROM webhook_deliveries WHERE endpoint_id = OLD.id;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION webhooks_forget FROM PUBLIC;
CREATE TRIGGER webhooks_forget AFTER DELETE ON webhook_endpoints FOR EACH ROW
    EXECUTE FUNCTION webhooks_forget()
"""

# all but the secrets and where they go
SEEN_BY_ENGINE = (
    "id, owner_id, enabled, events, kinds, tags, failures, exhausted, rest_until,"
    " disabled_reason, version, updated_at"
)
WRITTEN_BY_ENGINE = "enabled, failures, exhausted, rest_until, disabled_reason, version, updated_at"


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    mine = "(owner_id = (SELECT current_user_id()))"
    for table in ("webhook_endpoints", "webhook_deliveries"):
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
        _run(f"CREATE POLICY engine ON {table} TO wheels_engine USING (true) WITH CHECK (true)")
        _run(f"GRANT SELECT, INSERT, UPDATE ON {table} TO wheels_app")
    _run("GRANT DELETE ON webhook_endpoints TO wheels_app")
    _run(f"GRANT SELECT ({SEEN_BY_ENGINE}) ON webhook_endpoints TO wheels_engine")
    _run(f"GRANT UPDATE ({WRITTEN_BY_ENGINE}) ON webhook_endpoints TO wheels_engine")
    _run("GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO wheels_engine")
    _run("CREATE POLICY forget ON webhook_deliveries TO CURRENT_USER USING (true)")
    _run(FOLLOW)
    _run(FORGET)


def downgrade() -> None:
    _run("DROP TRIGGER webhooks_follow ON job_events")
    _run("DROP TABLE webhook_deliveries, webhook_endpoints")
    _run("DROP FUNCTION webhooks_follow, webhooks_forget")

"""Children: jobs that a job has started and waits for, without holding a worker."""

from __future__ import annotations

from alembic import op

revision = "0010_children"
down_revision = "0009_schedules"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE jobs
    ADD COLUMN parent_id uuid
        CONSTRAINT fk_jobs_parent_id REFERENCES jobs (id) ON DELETE CASCADE,
    ADD COLUMN child_key text,
    ADD COLUMN depth smallint NOT NULL DEFAULT 0,
    ADD COLUMN awaits text
        CONSTRAINT ck_jobs_awaits CHECK (awaits IN ('collect', 'fail_fast', 'failing')),
    ADD COLUMN children_total integer NOT NULL DEFAULT 0,
    ADD COLUMN children_finished integer NOT NULL DEFAULT 0,
    ADD COLUMN children_failed integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT ck_jobs_child CHECK ((parent_id IS NULL) = (child_key IS NULL)
        AND (parent_id IS NULL) = (depth = 0)),
    ADD CONSTRAINT ck_jobs_children CHECK (children_failed >= 0
        AND children_failed <= children_finished AND children_finished <= children_total);
CREATE UNIQUE INDEX uq_jobs_child ON jobs (parent_id, child_key) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_jobs_unfinished_child ON jobs (parent_id)
    WHERE parent_id IS NOT NULL AND finished_at IS NULL;
CREATE INDEX ix_jobs_awaits ON jobs (id) WHERE status = 'waiting'
"""

# Whoever waits ends at once; a running attempt is asked to stop. As `services.jobs.requests`.
CANCEL = """
CREATE FUNCTION cancel_children(children uuid[], keep_until timestamptz) RETURNS void
LANGUAGE sql AS $$
    WITH job AS (
        UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
            status = CASE WHEN status = 'running' THEN status ELSE 'cancelled' END,
            seq = seq + CASE WHEN status = 'running' THEN 0 ELSE 1 END,
            finished_at = CASE WHEN status = 'running' THEN NULL ELSE now() END,
            expires_at = CASE WHEN status = 'running' THEN NULL ELSE keep_until END
        WHERE id = ANY(children) AND finished_at IS NULL
        RETURNING id, owner_id, seq, status
    )
    INSERT INTO job_events (job_id, owner_id, seq, type)
    SELECT id, owner_id, seq, 'job.cancelled' FROM job WHERE status = 'cancelled'
$$
"""

# Every end of a job passes here, whoever writes it, in the transaction that writes it.
#
# A child's end is counted under the lock of its parent's row, so that of two last ones the
# second finds the first counted and wakes the parent. Locks go upwards, child before parent. The
# one way down, a cancel of children, takes only those that nobody else writes at this moment: a
# child's end that waits for its parent must not be waited for. `services.jobs.children.mend`
# takes the rest within a second.
ENDS = """
CREATE FUNCTION job_ends_in_family() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parent record;
    counts jsonb;
    shown jsonb;
BEGIN
    IF NEW.parent_id IS NOT NULL THEN
        UPDATE jobs SET children_finished = children_finished + 1,
            children_failed = children_failed + (NEW.status <> 'succeeded')::integer,
            seq = seq + (status = 'waiting' AND awaits IS NOT NULL)::integer,
            status = CASE WHEN status = 'waiting' AND awaits IS NOT NULL
                AND children_finished + 1 >= children_total THEN 'queued' ELSE status END,
            awaits = CASE WHEN children_finished + 1 >= children_total THEN NULL
                WHEN awaits = 'fail_fast' AND NEW.status <> 'succeeded' THEN 'failing'
                ELSE awaits END
        WHERE id = NEW.parent_id
        RETURNING id, owner_id, seq, status, awaits, lane, priority, ready_at, children_total,
            children_finished, children_failed INTO parent;
        IF parent.status IN ('waiting', 'queued') THEN
            counts := jsonb_build_object('total', parent.children_total,
                'finished', parent.children_finished, 'failed', parent.children_failed);
            shown := jsonb_build_object('fraction',
                round(parent.children_finished::numeric / parent.children_total, 4),
                'stage', 'children', 'message', parent.children_finished || ' of '
                || parent.children_total || ' children have ended',
                'data', jsonb_build_object('children', counts));
            UPDATE job_runs SET progress = shown WHERE job_id = parent.id;
            INSERT INTO job_events (job_id, owner_id, seq, type, data)
            SELECT parent.id, parent.owner_id, parent.seq,
                CASE parent.status WHEN 'queued' THEN 'job.queued' ELSE 'job.progress' END,
                CASE parent.status WHEN 'queued' THEN jsonb_build_object('queue_position',
                        fair_rank(parent.lane, parent.owner_id, parent.priority, parent.ready_at,
                                  parent.id, false), 'eta_s', NULL)
                    ELSE jsonb_build_object('progress', shown) END;
        END IF;
        IF parent.status = 'waiting' AND parent.awaits = 'failing' THEN
            PERFORM cancel_children(ARRAY(
                SELECT id FROM jobs WHERE parent_id = NEW.parent_id AND finished_at IS NULL
                    AND cancel_requested_at IS NULL
                ORDER BY id FOR NO KEY UPDATE SKIP LOCKED), NEW.expires_at);
        END IF;
    END IF;
    IF OLD.status = 'waiting' THEN
        PERFORM cancel_children(ARRAY(
            SELECT id FROM jobs WHERE parent_id = NEW.id AND finished_at IS NULL
            ORDER BY id FOR NO KEY UPDATE SKIP LOCKED), NEW.expires_at);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER job_ends_in_family AFTER UPDATE OF status ON jobs FOR EACH ROW
    WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
          AND (NEW.parent_id IS NOT NULL OR OLD.status = 'waiting'))
    EXECUTE FUNCTION job_ends_in_family()
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    _run(CANCEL)
    _run(ENDS)


def downgrade() -> None:
    _run("DROP TRIGGER job_ends_in_family ON jobs")
    _run("DROP FUNCTION job_ends_in_family")
    _run("DROP FUNCTION cancel_children")
    _run("DROP INDEX ix_jobs_awaits")
    _run(
        "ALTER TABLE jobs DROP COLUMN parent_id, DROP COLUMN child_key, DROP COLUMN depth,"
        " DROP COLUMN awaits, DROP COLUMN children_total, DROP COLUMN children_finished,"
        " DROP COLUMN children_failed"
    )

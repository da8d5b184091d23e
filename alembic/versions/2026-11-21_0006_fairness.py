"""Fairness: whose turn it is in a lane, by user and by priority."""

from __future__ import annotations

from alembic import op

revision = "0006_fairness"
down_revision = "0005_roads"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE jobs ADD COLUMN priority text NOT NULL DEFAULT 'interactive'
    CONSTRAINT ck_jobs_priority CHECK (priority IN ('interactive', 'batch'));
CREATE INDEX ix_jobs_waiting ON jobs (lane, owner_id, ready_at, id)
    WHERE status = 'queued' AND admitted_at IS NULL
"""

# A batch job yields to interactive ones for its first minute, so that it is never starved.
# services.jobs.admission orders by the same rule.
YIELDS = """
CREATE FUNCTION job_yields(priority text, ready timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT priority = 'batch' AND ready > now() - interval '1 minute' $$
"""

# How many jobs stand before one in the order of admission, itself included; NULL past a
# thousand. The n-th waiting job of a user who has b under way has turn b + n; turns go in
# order, and those alike by age. Counted per user, so that nothing has to be sorted: of each
# other user stand before it the jobs of earlier turns, and the one of the same turn if it is
# older. Others' jobs are counted without being shown, so it runs as the owner of the tables.
FAIR_RANK = """
CREATE FUNCTION fair_rank(
    in_lane text, of_owner uuid, of_priority text, ready timestamptz, job uuid, admitted boolean
) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH lane AS (
        SELECT owner_id, status = 'queued' AND admitted_at IS NOT NULL AS sent,
               status = 'running' OR admitted_at IS NOT NULL AS busy,
               job_yields(priority, ready_at) AS yields, (ready_at, id) < (ready, job) AS older
        FROM jobs
        WHERE lane = in_lane AND (status = 'running' OR status = 'queued' AND ready_at <= now())
          AND id <> job
    ), me AS (SELECT job_yields(of_priority, ready) AS yields
    ), users AS (
        SELECT owner_id, count(*) FILTER (WHERE sent AND (older OR NOT admitted)) AS sent,
            count(*) FILTER (WHERE NOT busy AND NOT lane.yields AND me.yields) AS first,
            count(*) FILTER (WHERE busy) AS busy,
            count(*) FILTER (WHERE NOT busy AND lane.yields = me.yields) AS waiting,
            count(*) FILTER (WHERE NOT busy AND lane.yields = me.yields AND older) AS older
        FROM lane, me GROUP BY owner_id
    ), turn AS (
        SELECT coalesce((SELECT busy + first + older FROM users WHERE owner_id = of_owner), 0) + 1
            AS mine
    ), ahead AS (
        SELECT sum(sent + CASE WHEN admitted THEN 0 ELSE first + CASE
            WHEN owner_id = of_owner THEN older
            ELSE least(waiting, greatest(0, mine - 1 - busy - first))
                 + (mine - busy - first >= 1 AND older >= mine - busy - first)::integer
            END END) AS n
        FROM users, turn
    )
    -- a flood of one's own is not worth a count of the whole lane
    SELECT CASE WHEN (SELECT count(*) FROM (
            SELECT FROM jobs
            WHERE lane = in_lane AND owner_id = of_owner AND status = 'queued'
              AND admitted_at IS NULL AND (ready_at, id) < (ready, job) LIMIT 1000) own) < 1000
        THEN (SELECT CASE WHEN coalesce(n, 0) < 1000 THEN coalesce(n, 0) + 1 END FROM ahead)
        END::integer
$$;
REVOKE EXECUTE ON FUNCTION fair_rank FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fair_rank TO wheels_app, wheels_engine
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    _run(YIELDS)
    _run(FAIR_RANK)


def downgrade() -> None:
    _run("DROP FUNCTION fair_rank")
    _run("DROP FUNCTION job_yields")
    _run("ALTER TABLE jobs DROP COLUMN priority")
    _run("DROP INDEX ix_jobs_waiting")

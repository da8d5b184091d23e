"""The rank of a job without a scan of its lane: of each user no more than can stand before it."""

from __future__ import annotations

from alembic import op

revision = "0015_rank"
down_revision = "0014_operators"
branch_labels = None
depends_on = None

# How many jobs stand before one in the order of admission, itself included; NULL past a
# thousand. The n-th waiting job of a user who has b under way has turn b + n; turns go in
# order, and those alike by age. Of another user stand before a job those of earlier turns, and
# the one of the same turn if it is older: no more than the first of that user's queue, read in
# the order of an index. A batch job in its first minute has all others before it, and counts.
# A step to the next user costs 20 µs, a row of the scan one: where very many users wait, all of
# the lane is scanned as before. Others' jobs are counted without being shown, so both run as
# the owner of the tables.
FAIR_RANK = """
CREATE FUNCTION fair_rank(
    in_lane text, of_owner uuid, of_priority text, ready timestamptz, job uuid, admitted boolean
) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
-- planned once for a connection, maybe while the queue is empty
SET enable_seqscan = off AS $$
DECLARE
    most CONSTANT integer := 1000;
    yields CONSTANT boolean := job_yields(of_priority, ready);
    ahead bigint;
    turn bigint;
    other uuid;
    passing bigint;
    its_first bigint;
    busy jsonb;
    users integer := 0;
BEGIN
    SELECT count(*) INTO ahead FROM jobs
    WHERE lane = in_lane AND status = 'queued' AND admitted_at IS NOT NULL AND id <> job
      AND (NOT admitted OR (ready_at, id) < (ready, job)) AND ready_at <= now();
    IF admitted THEN
        RETURN CASE WHEN ahead < most THEN ahead + 1 END;
    END IF;
    -- a flood of one's own is not worth a count of the others
    SELECT count(*) INTO turn FROM (
        SELECT FROM jobs
        WHERE lane = in_lane AND owner_id = of_owner AND status = 'queued' AND admitted_at IS NULL
          AND id <> job AND ready_at <= now()
          AND (CASE WHEN job_yields(priority, ready_at) = yields
                    THEN (ready_at, id) < (ready, job) ELSE yields END)
        LIMIT most) own;
    ahead := ahead + turn;
    IF ahead >= most THEN
        RETURN NULL;
    END IF;
    -- turns are numbered from 0 here
    SELECT coalesce(jsonb_object_agg(owner_id, n), '{}') INTO busy FROM (
        SELECT owner_id, count(*) AS n FROM (
            SELECT owner_id FROM jobs WHERE lane = in_lane AND status = 'running' AND id <> job
            UNION ALL
            SELECT owner_id FROM jobs
            WHERE lane = in_lane AND status = 'queued' AND admitted_at IS NOT NULL
              AND ready_at <= now() AND id <> job) under_way
        GROUP BY owner_id) each;
    turn := turn + coalesce((busy ->> of_owner::text)::bigint, 0);
    SELECT owner_id INTO other FROM jobs
    WHERE lane = in_lane AND status = 'queued' AND admitted_at IS NULL
    ORDER BY owner_id LIMIT 1;
    WHILE other IS NOT NULL LOOP
        users := users + 1;
        IF users > 100 THEN
            RETURN fair_rank_by_scan(in_lane, of_owner, of_priority, ready, job, admitted);
        END IF;
        IF other <> of_owner THEN
            its_first := 0;
            IF yields THEN
                SELECT count(*) INTO its_first FROM (
                    SELECT FROM jobs
                    WHERE lane = in_lane AND owner_id = other AND status = 'queued'
                      AND admitted_at IS NULL AND ready_at <= now()
                      AND NOT job_yields(priority, ready_at) LIMIT most) unyielding;
            END IF;
            ahead := ahead + its_first;
            -- its jobs of earlier turns than this one's
            passing := turn - its_first - coalesce((busy ->> other::text)::bigint, 0);
            IF passing >= 0 THEN
                ahead := ahead + (
                    SELECT count(*) FROM (
                        SELECT ready_at, id, row_number() OVER (ORDER BY ready_at, id) AS nth
                        FROM (SELECT ready_at, id FROM jobs
                              WHERE lane = in_lane AND owner_id = other AND status = 'queued'
                                AND admitted_at IS NULL AND ready_at <= now()
                                AND job_yields(priority, ready_at) = yields
                              ORDER BY ready_at, id LIMIT passing + 1) first
                        ) head
                    WHERE nth <= passing OR (ready_at, id) < (ready, job));
            END IF;
            IF ahead >= most THEN
                RETURN NULL;
            END IF;
        END IF;
        SELECT owner_id INTO other FROM jobs
        WHERE lane = in_lane AND status = 'queued' AND admitted_at IS NULL AND owner_id > other
        ORDER BY owner_id LIMIT 1;
    END LOOP;
    RETURN ahead + 1;
END
$$;
REVOKE EXECUTE ON FUNCTION fair_rank FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fair_rank TO wheels_app, wheels_engine
"""

BY_SCAN = "ALTER FUNCTION fair_rank RENAME TO fair_rank_by_scan"
BEFORE = """
DROP FUNCTION fair_rank;
ALTER FUNCTION fair_rank_by_scan RENAME TO fair_rank
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(BY_SCAN)
    _run(FAIR_RANK)


def downgrade() -> None:
    _run(BEFORE)

"""Artifacts: one of a name per job, found by where their bytes lie, noted when those are gone."""

from __future__ import annotations

from alembic import op

revision = "0004_artifacts"
down_revision = "0003_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE artifacts ADD COLUMN missing_at timestamptz")
    op.execute("ALTER TABLE artifacts ALTER COLUMN size_bytes TYPE bigint")
    op.execute("CREATE UNIQUE INDEX uq_artifacts_job_id_name ON artifacts (job_id, name)")
    # the sweep asks for all keys that begin alike
    op.execute("CREATE UNIQUE INDEX uq_artifacts_location ON artifacts (location text_pattern_ops)")
    op.execute("DROP INDEX ix_artifacts_job_id")


def downgrade() -> None:
    op.execute("CREATE INDEX ix_artifacts_job_id ON artifacts (job_id)")
    op.execute("DROP INDEX uq_artifacts_location")
    op.execute("DROP INDEX uq_artifacts_job_id_name")
    op.execute("ALTER TABLE artifacts ALTER COLUMN size_bytes TYPE integer")
    op.execute("ALTER TABLE artifacts DROP COLUMN missing_at")

"""Roads: answers of the map service for a while, and what was asked of it per day."""

from __future__ import annotations

from alembic import op

revision = "0005_roads"
down_revision = "0004_trips"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE road_cells (
    key uuid CONSTRAINT pk_road_cells PRIMARY KEY,
    duration_s integer,
    distance_m integer,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ix_road_cells_expires_at ON road_cells (expires_at);

CREATE TABLE road_spending (
    day date CONSTRAINT pk_road_spending PRIMARY KEY,
    elements integer NOT NULL,
    turn_at timestamptz NOT NULL
)
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    # no policies: the rows have no owner and say nothing of anybody
    _run("GRANT SELECT, INSERT, UPDATE, DELETE ON road_cells TO wheels_app")
    _run("GRANT SELECT, INSERT, UPDATE ON road_spending TO wheels_app")
    # housekeeping forgets what has expired, also where nobody asks any more
    _run("GRANT SELECT, DELETE ON road_cells, road_spending TO wheels_engine")


def downgrade() -> None:
    _run("DROP TABLE road_spending, road_cells")

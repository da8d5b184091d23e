"""Trips and their stops."""

from __future__ import annotations

from alembic import op

revision = "0004_trips"
down_revision = "0004_artifacts"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE trips (
    id uuid CONSTRAINT pk_trips PRIMARY KEY,
    owner_id uuid NOT NULL CONSTRAINT fk_trips_owner_id REFERENCES users (id) ON DELETE CASCADE,
    title text NOT NULL,
    start jsonb,
    "end" jsonb NOT NULL DEFAULT '"start"',
    starts_on date,
    zone text,
    vehicle jsonb NOT NULL DEFAULT '{}',
    limits jsonb,
    notes text NOT NULL DEFAULT '',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT ck_trips_version CHECK (version >= 1),
    CONSTRAINT uq_trips_id_owner_id UNIQUE (id, owner_id)
);
CREATE INDEX ix_trips_owner ON trips (owner_id, id DESC);

CREATE TABLE stops (
    id uuid CONSTRAINT pk_stops PRIMARY KEY,
    owner_id uuid NOT NULL,
    trip_id uuid NOT NULL,
    position integer,
    name text NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    service_s integer NOT NULL,
    windows jsonb NOT NULL DEFAULT '[]',
    opening jsonb NOT NULL DEFAULT '[]',
    required boolean NOT NULL,
    prize double precision NOT NULL,
    zone text,
    overnight boolean NOT NULL,
    nights integer NOT NULL,
    night_cost jsonb,
    planned_arrive_at timestamptz,
    planned_depart_at timestamptz,
    day integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT fk_stops_trip_id_owner_id FOREIGN KEY (trip_id, owner_id)
        REFERENCES trips (id, owner_id) ON DELETE CASCADE,
    CONSTRAINT ck_stops_position CHECK (position >= 1),
    CONSTRAINT ck_stops_deleted CHECK ((deleted_at IS NULL) = (position IS NOT NULL)),
    CONSTRAINT uq_stops_trip_id_position UNIQUE (trip_id, position) DEFERRABLE
)
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    # the subselect is evaluated once per statement, not once per row
    mine = "(owner_id = (SELECT current_user_id()))"
    for table in ("trips", "stops"):
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
        # deleting is an update, and the engine role has no business here
        _run(f"GRANT SELECT, INSERT, UPDATE ON {table} TO wheels_app")


def downgrade() -> None:
    _run("DROP TABLE stops, trips")

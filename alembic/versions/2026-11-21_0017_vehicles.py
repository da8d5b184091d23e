"""Vehicles."""

from __future__ import annotations

from alembic import op

revision = "0017_vehicles"
down_revision = "0014_operators"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE vehicles (
    id uuid CONSTRAINT pk_vehicles PRIMARY KEY,
    owner_id uuid NOT NULL
        CONSTRAINT fk_vehicles_owner_id REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    kind text NOT NULL CONSTRAINT ck_vehicles_kind CHECK (kind IN ('motorhome', 'campervan',
        'caravan', 'fifth_wheel', 'camper_trailer', 'car', 'truck', 'bus', 'motorcycle', 'other')),
    make text,
    model text,
    year integer,
    plate text,
    fuel_type text CONSTRAINT ck_vehicles_fuel_type
        CHECK (fuel_type IN ('petrol', 'diesel', 'lpg', 'hybrid', 'electric', 'other')),
    tank_l numeric,
    fuel_l_per_100km numeric,
    height_m numeric,
    length_m numeric,
    width_m numeric,
    weight_kg integer,
    odometer_unit text NOT NULL
        CONSTRAINT ck_vehicles_odometer_unit CHECK (odometer_unit IN ('km', 'mi')),
    notes text NOT NULL DEFAULT '',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT ck_vehicles_version CHECK (version >= 1),
    CONSTRAINT uq_vehicles_id_owner_id UNIQUE (id, owner_id)
);
CREATE INDEX ix_vehicles_owner ON vehicles (owner_id, id DESC);
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    # the subselect is evaluated once per statement, not once per row
    mine = "(owner_id = (SELECT current_user_id()))"
    for table in ("vehicles",):
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
        # deleting is an update, and the engine role has no business here
        _run(f"GRANT SELECT, INSERT, UPDATE ON {table} TO wheels_app")


def downgrade() -> None:
    _run("DROP TABLE vehicles")

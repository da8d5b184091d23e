"""Vehicles, what went into their tanks, and what they were driven for."""

from __future__ import annotations

from alembic import op

revision = "0017_vehicles"
down_revision = "0016_books"
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

CREATE TABLE fuel_fills (
    id uuid CONSTRAINT pk_fuel_fills PRIMARY KEY,
    owner_id uuid NOT NULL,
    vehicle_id uuid NOT NULL,
    filled_at timestamptz NOT NULL,
    odometer_m bigint NOT NULL CONSTRAINT ck_fuel_fills_odometer_m CHECK (odometer_m >= 0),
    odometer_reset boolean NOT NULL,
    volume_l numeric NOT NULL CONSTRAINT ck_fuel_fills_volume_l CHECK (volume_l > 0),
    price_per_l numeric,
    total numeric,
    currency text CONSTRAINT ck_fuel_fills_currency CHECK (currency ~ '^[A-Z]{3}$'),
    priced_by text
        CONSTRAINT ck_fuel_fills_priced_by CHECK (priced_by IN ('price', 'total', 'both')),
    "full" boolean NOT NULL,
    missed_before boolean NOT NULL,
    station text NOT NULL,
    place jsonb,
    trip_id uuid,
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT fk_fuel_fills_vehicle_id_owner_id FOREIGN KEY (vehicle_id, owner_id)
        REFERENCES vehicles (id, owner_id) ON DELETE CASCADE,
    CONSTRAINT fk_fuel_fills_trip_id_owner_id FOREIGN KEY (trip_id, owner_id)
        REFERENCES trips (id, owner_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_fuel_fills_priced
        CHECK (num_nonnulls(price_per_l, total, currency, priced_by) IN (0, 4))
);
CREATE INDEX ix_fuel_fills_vehicle ON fuel_fills (vehicle_id, filled_at, odometer_m, id)
    WHERE deleted_at IS NULL;
CREATE INDEX ix_fuel_fills_trip ON fuel_fills (trip_id) WHERE trip_id IS NOT NULL;

CREATE TABLE mileage_entries (
    id uuid CONSTRAINT pk_mileage_entries PRIMARY KEY,
    owner_id uuid NOT NULL,
    vehicle_id uuid NOT NULL,
    driven_on date NOT NULL,
    start_odometer_m bigint,
    end_odometer_m bigint,
    distance_m bigint NOT NULL CONSTRAINT ck_mileage_entries_distance_m CHECK (distance_m > 0),
    purpose text NOT NULL CONSTRAINT ck_mileage_entries_purpose
        CHECK (purpose IN ('business', 'private', 'medical', 'charity')),
    from_place text NOT NULL,
    to_place text NOT NULL,
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT fk_mileage_entries_vehicle_id_owner_id FOREIGN KEY (vehicle_id, owner_id)
        REFERENCES vehicles (id, owner_id) ON DELETE CASCADE,
    CONSTRAINT ck_mileage_entries_odometer
        CHECK (num_nonnulls(start_odometer_m, end_odometer_m) = 0
            OR (num_nonnulls(start_odometer_m, end_odometer_m) = 2
                AND end_odometer_m - start_odometer_m = distance_m))
);
CREATE INDEX ix_mileage_entries_vehicle ON mileage_entries (vehicle_id, driven_on, id)
    WHERE deleted_at IS NULL
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    # the subselect is evaluated once per statement, not once per row
    mine = "(owner_id = (SELECT current_user_id()))"
    for table in ("vehicles", "fuel_fills", "mileage_entries"):
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
        # deleting is an update, and the engine role has no business here
        _run(f"GRANT SELECT, INSERT, UPDATE ON {table} TO wheels_app")


def downgrade() -> None:
    _run("DROP TABLE mileage_entries, fuel_fills, vehicles")

"""What the tables of vehicles refuse by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import get_args
from uuid import UUID

import psycopg
import pytest

from api.schemas import vehicles as schema
from api.schemas.fuel import FillNew
from api.schemas.mileage import DriveNew, PurposeName
from models import vehicle as model
from services.trips import views as trips
from services.vehicles import fills, mileage, views
from services.vehicles.errors import OdometerBackwards
from services.vehicles.fill_views import PLAIN_FIELDS
from services.vehicles.mileage import MILEAGE_FIELDS
from services.vehicles.prices import PricedBy
from services.vehicles.views import VEHICLE_FIELDS
from tests.lab import Lab
from tests.stack import Stores
from tests.vehicles import a_drive, a_fill

TABLES = ["vehicles", "fuel_fills", "mileage_entries"]


@pytest.fixture(scope="module")
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


def make_log(lab: Lab) -> UUID:
    """The owner of a vehicle with a drive, and a fill on a trip."""
    owner = lab.make_user()
    trip = {"title": "t", "end": "start", "vehicle": {}, "notes": ""}
    trip_id = lab.as_owner(owner, trips.RECORDS.create(owner, trip)).id
    new = schema.VehicleNew(name="Bertha").columns()
    vehicle_id = lab.as_owner(owner, views.RECORDS.create(owner, new)).id
    price = {"amount": "2", "currency": "AUD"}
    fill = FillNew.model_validate(a_fill(trip_id=trip_id, price_per_l=price)).columns()
    lab.as_owner(owner, fills.add(owner, vehicle_id, fill))
    drive = DriveNew.model_validate(a_drive()).columns()
    lab.as_owner(owner, mileage.add(owner, vehicle_id, drive))
    return owner


class TestWords:
    def test_are_the_same_in_the_table_and_at_the_door(self) -> None:
        assert set(get_args(schema.KindName)) == set(model.KINDS)
        assert set(get_args(schema.FuelName)) == set(model.FUELS)
        assert set(get_args(schema.OdometerUnit)) == set(model.ODOMETER_UNITS)
        assert set(PricedBy) == set(model.PRICED_BY)
        assert set(get_args(PurposeName)) == set(model.PURPOSES)

    def test_fields_are_those_that_are_posted(self) -> None:
        assert set(VEHICLE_FIELDS) == set(schema.VehicleNew.model_fields)
        prices = {"price_per_l", "total"}
        assert {*PLAIN_FIELDS, *prices} == set(FillNew.model_fields)
        assert set(MILEAGE_FIELDS) == set(DriveNew.model_fields)


class TestTables:
    @pytest.mark.parametrize("table", TABLES)
    def test_show_only_the_owners_rows(self, table: str, lab: Lab) -> None:
        owner, stranger = make_log(lab), lab.make_user()
        for who, seen in [(owner, 1), (stranger, 0), ("", 0)]:
            with psycopg.connect(lab.stores.postgres.dsn("wheels_app")) as connection:
                connection.execute("SELECT set_config('app.user_id', %s, true)", (str(who),))
                found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                assert found == (seen,)

    def test_go_with_their_owner_trips_and_all(self, lab: Lab) -> None:
        owner = make_log(lab)
        with lab.stores.sql() as sql:
            sql.execute("DELETE FROM users WHERE id = %s", (owner,))
        for table in TABLES:
            count = f"SELECT count(*) FROM {table} WHERE owner_id = %s"
            assert lab.stores.one(count, owner) == 0

    @pytest.mark.parametrize(
        "change",
        [
            "fuel_fills SET vehicle_id = gen_random_uuid()",
            "fuel_fills SET trip_id = gen_random_uuid()",
            "fuel_fills SET volume_l = 0",
            "fuel_fills SET total = NULL",
            "fuel_fills SET currency = 'dollars'",
            "mileage_entries SET distance_m = 0",
            "mileage_entries SET start_odometer_m = 5, end_odometer_m = 6",
            "mileage_entries SET start_odometer_m = 5",
            "vehicles SET kind = 'boat'",
        ],
    )
    def test_refuse_what_cannot_be(self, change: str, lab: Lab) -> None:
        owner = make_log(lab)
        with lab.stores.sql() as sql, pytest.raises(psycopg.errors.IntegrityError):
            sql.execute(f"UPDATE {change} WHERE owner_id = %s", (owner,))

    @pytest.mark.parametrize("table", TABLES)
    def test_are_not_the_apps_to_delete_nor_the_engines_to_read(
        self, table: str, stores: Stores
    ) -> None:
        for role, statement in [
            ("wheels_app", f"DELETE FROM {table}"),
            ("wheels_engine", f"SELECT * FROM {table}"),
        ]:
            with (
                psycopg.connect(stores.postgres.dsn(role)) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute(statement)


class TestTwoAtOnce:
    def test_keep_the_odometer_running_forwards(self, lab: Lab) -> None:
        """Each fits alone; whichever comes second sees the first."""
        owner = lab.make_user()
        new = schema.VehicleNew(name="Bertha").columns()
        vehicle_id = lab.as_owner(owner, views.RECORDS.create(owner, new)).id

        def add(day: int) -> bool:
            body = a_fill(str(day), 1000 - day)
            steps = fills.add(owner, vehicle_id, FillNew.model_validate(body).columns())
            try:
                lab.as_owner(owner, steps)
            except OdometerBackwards:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(add, range(1, 9))) == 1
        version = lab.as_owner(owner, views.RECORDS.read(owner, vehicle_id)).version
        assert version == 2

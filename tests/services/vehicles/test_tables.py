"""What the tables of vehicles refuse by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import psycopg
import pytest

from api.schemas import vehicles as schema
from api.schemas.fuel import FillNew
from api.schemas.mileage import DriveNew, PurposeName
from models import vehicle as model
from services.vehicles import edit
from services.vehicles.fill_views import PLAIN_FIELDS
from services.vehicles.mileage import MILEAGE_FIELDS
from services.vehicles.prices import PricedBy
from services.vehicles.views import VEHICLE_FIELDS
from tests.lab import Lab
from tests.stack import Stores

TABLES = ["vehicles", "fuel_fills", "mileage_entries"]


@pytest.fixture(scope="module")
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


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
    def test_show_only_the_owners_rows_and_go_with_their_owner(self, lab: Lab) -> None:
        owner, stranger = lab.make_user(), lab.make_user()
        new = schema.VehicleNew(name="Bertha").columns()
        lab.as_owner(owner, edit.create(owner, new))
        for who, seen in [(owner, 1), (stranger, 0), ("", 0)]:
            with psycopg.connect(lab.stores.postgres.dsn("wheels_app")) as connection:
                connection.execute("SELECT set_config('app.user_id', %s, true)", (str(who),))
                found = connection.execute("SELECT count(*) FROM vehicles").fetchone()
                assert found == (seen,)
        with lab.stores.sql() as sql:
            sql.execute("DELETE FROM users WHERE id = %s", (owner,))
        assert lab.stores.one("SELECT count(*) FROM vehicles WHERE owner_id = %s", owner) == 0

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

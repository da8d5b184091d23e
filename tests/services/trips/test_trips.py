"""Trips below HTTP: what the tables refuse, who waits for whom, and how a plan is written."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.database import perform
from core.errors import PreconditionFailed
from core.ids import new_id
from services.trips import plans, stops, views
from services.trips.errors import TripNotFound
from services.trips.plans import NotApplied, PlannedVisit
from services.trips.views import STOP_FIELDS, TRIP_FIELDS
from tasks.plan_route.contract.request import StopFields
from tests.lab import Lab
from tests.stack import Stores

PLACE: dict[str, Any] = StopFields(lat=-33.0, lon=151.0).model_dump(mode="json")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


@pytest.fixture
def owner(lab: Lab) -> UUID:
    return lab.make_user()


def make_trip(lab: Lab, owner: UUID, names: str = "") -> UUID:
    columns = {"title": "t", "end": "start", "vehicle": {}, "notes": ""}
    trip_id = lab.as_owner(owner, views.RECORDS.create(owner, columns)).id
    if names:
        new = [{**PLACE, "name": name} for name in names]
        lab.as_owner(owner, stops.add(owner, trip_id, new, at=None, most=500))
    return trip_id


def stops_of(lab: Lab, owner: UUID, trip_id: UUID) -> list[views.StopView]:
    found = lab.as_owner(owner, views.stops_of(trip_id))
    assert [stop.position for stop in found] == list(range(1, len(found) + 1))
    return found


def names(lab: Lab, owner: UUID, trip_id: UUID) -> str:
    return "".join(stop.name for stop in stops_of(lab, owner, trip_id))


def version(lab: Lab, owner: UUID, trip_id: UUID) -> int:
    return lab.as_owner(owner, views.RECORDS.read(owner, trip_id)).version


class TestFields:
    def test_of_a_stop_are_those_of_a_route(self) -> None:
        assert set(STOP_FIELDS) == set(StopFields.model_fields)

    def test_of_a_trip_are_those_that_are_posted(self) -> None:
        from api.schemas.trips import TripNew

        assert set(TRIP_FIELDS) == set(TripNew.model_fields)


class TestTables:
    def test_know_a_stop_by_the_owner_of_its_trip(self, lab: Lab, owner: UUID) -> None:
        trip_id, stranger = make_trip(lab, owner), lab.make_user()
        with lab.stores.sql() as sql, pytest.raises(psycopg.errors.ForeignKeyViolation):
            sql.execute(
                "INSERT INTO stops (id, owner_id, trip_id, position, name, lat, lon, service_s,"
                " required, prize, overnight, nights)"
                " VALUES (%s, %s, %s, 1, '', 0, 0, 0, true, 0, true, 0)",
                (new_id(), stranger, trip_id),
            )

    @pytest.mark.parametrize("position", ["1", "0", "NULL"])
    def test_refuse_a_position_that_is_taken_or_none(
        self, position: str, lab: Lab, owner: UUID
    ) -> None:
        trip_id = make_trip(lab, owner, "ab")
        with lab.stores.sql() as sql, pytest.raises(psycopg.errors.IntegrityError):
            sql.execute(
                f"UPDATE stops SET position = {position} WHERE trip_id = %s AND name = 'b'",
                (trip_id,),
            )

    def test_go_with_their_owner(self, lab: Lab, owner: UUID) -> None:
        make_trip(lab, owner, "ab")
        with lab.stores.sql() as sql:
            sql.execute("DELETE FROM users WHERE id = %s", (owner,))
        assert lab.stores.one("SELECT count(*) FROM stops WHERE owner_id = %s", owner) == 0

    @pytest.mark.parametrize(
        "statement",
        ["DELETE FROM trips", "DELETE FROM stops", "TRUNCATE trips CASCADE", "DROP TABLE stops"],
    )
    def test_are_not_the_apps_to_delete(self, statement: str, stores: Stores) -> None:
        with (
            psycopg.connect(stores.postgres.dsn("wheels_app")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)

    @pytest.mark.parametrize("table", ["trips", "stops"])
    def test_show_only_the_owners_rows(self, table: str, lab: Lab, owner: UUID) -> None:
        trip_id, stranger = make_trip(lab, owner, "a"), lab.make_user()
        dsn = lab.stores.postgres.dsn
        for who, seen in [(owner, 1), (stranger, 0), ("", 0)]:
            with psycopg.connect(dsn("wheels_app")) as connection:
                connection.execute("SELECT set_config('app.user_id', %s, true)", (str(who),))
                found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                assert found == (seen,)
                changed = connection.execute(f"UPDATE {table} SET updated_at = now()")
                assert changed.rowcount == seen
        with (
            psycopg.connect(dsn("wheels_engine")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"SELECT * FROM {table}")
        with psycopg.connect(dsn("wheels_app")) as connection:
            connection.execute("SELECT set_config('app.user_id', %s, true)", (str(stranger),))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(
                    "INSERT INTO trips (id, owner_id, title) VALUES (%s, %s, 'x')",
                    (new_id(), owner),
                )
        assert version(lab, owner, trip_id) == 2


class TestACrowd:
    def test_of_inserts_leaves_no_gap_and_counts_each(self, lab: Lab, owner: UUID) -> None:
        trip_id = make_trip(lab, owner)

        def insert(n: int) -> None:
            new = [{**PLACE, "name": str(n)}]
            lab.as_owner(owner, stops.add(owner, trip_id, new, at=1, most=500))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(insert, range(24)))
        assert len(stops_of(lab, owner, trip_id)) == 24
        assert version(lab, owner, trip_id) == 25

    def test_lets_one_of_those_through_who_name_a_version(self, lab: Lab, owner: UUID) -> None:
        trip_id = make_trip(lab, owner, "abc")
        ids = [stop.id for stop in stops_of(lab, owner, trip_id)]

        def reorder(turn: int) -> bool:
            order = ids[turn:] + ids[:turn]
            try:
                steps = stops.reorder(owner, trip_id, order, frozenset({2}))
                lab.as_owner(owner, steps)
            except PreconditionFailed:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(reorder, [1, 2] * 8))
        assert done.count(True) == 1
        assert names(lab, owner, trip_id) == ("bca" if done.index(True) % 2 == 0 else "cab")


def visits(found: list[views.StopView], order: str) -> list[PlannedVisit]:
    ids = {stop.name: stop.id for stop in found}
    return [
        PlannedVisit(ids[name], NOON + timedelta(hours=n), NOON + timedelta(hours=n, minutes=5), 1)
        for n, name in enumerate(order)
    ]


class TestAPlan:
    def test_brings_order_and_times_and_the_next_version(self, lab: Lab, owner: UUID) -> None:
        trip_id = make_trip(lab, owner, "abcd")
        planned = visits(stops_of(lab, owner, trip_id), "dbca")
        assert lab.as_owner(owner, plans.apply_plan(owner, trip_id, 2, planned)) is None
        found = stops_of(lab, owner, trip_id)
        assert "".join(stop.name for stop in found) == "dbca"
        assert [stop.planned_arrive_at for stop in found] == [one.arrive_at for one in planned]
        assert [stop.planned_depart_at for stop in found] == [one.depart_at for one in planned]
        assert {stop.day for stop in found} == {1}
        assert version(lab, owner, trip_id) == 3

    def test_puts_skipped_stops_last_in_their_order_and_takes_their_times(
        self, lab: Lab, owner: UUID
    ) -> None:
        trip_id = make_trip(lab, owner, "abcd")
        found = stops_of(lab, owner, trip_id)
        lab.as_owner(owner, plans.apply_plan(owner, trip_id, 2, visits(found, "abcd")))
        lab.as_owner(owner, plans.apply_plan(owner, trip_id, 3, visits(found, "db")))
        found = stops_of(lab, owner, trip_id)
        assert "".join(stop.name for stop in found) == "dbac"
        assert [stop.day for stop in found] == [1, 1, None, None]
        assert [stop.planned_arrive_at is None for stop in found] == [False, False, True, True]
        assert found[2].planned_depart_at is None

    @pytest.mark.parametrize("stale", [1, 3, None])
    def test_of_another_version_is_not_written(
        self, stale: int | None, lab: Lab, owner: UUID
    ) -> None:
        trip_id = make_trip(lab, owner, "ab")
        planned = visits(stops_of(lab, owner, trip_id), "ba")
        outcome = lab.as_owner(owner, plans.apply_plan(owner, trip_id, stale, planned))
        assert outcome == NotApplied.TRIP_CHANGED
        assert names(lab, owner, trip_id) == "ab"
        assert version(lab, owner, trip_id) == 2

    def test_of_a_deleted_trip_is_not_written(self, lab: Lab, owner: UUID) -> None:
        trip_id = make_trip(lab, owner, "ab")
        planned = visits(stops_of(lab, owner, trip_id), "ba")
        lab.as_owner(owner, views.RECORDS.delete(owner, trip_id))
        outcome = lab.as_owner(owner, plans.apply_plan(owner, trip_id, 2, planned))
        assert outcome == NotApplied.TRIP_DELETED

    def test_is_made_of_one_version(self, lab: Lab, owner: UUID) -> None:
        """Whoever reads a trip to plan it keeps writers out until the job is committed."""
        trip_id = make_trip(lab, owner, "ab")
        with lab.app.transaction(owner) as session:
            trip, found = perform(session, plans.to_plan(owner, trip_id))
            with ThreadPoolExecutor(1) as pool:
                writing = pool.submit(lab.as_owner, owner, views.RECORDS.delete(owner, trip_id))
                with pytest.raises(TimeoutError):
                    writing.result(0.3)
                assert (trip.version, len(found)) == (2, 2)
                session.commit()
                writing.result(5)

    def test_of_a_strangers_trip_is_not_made(self, lab: Lab, owner: UUID) -> None:
        trip_id, stranger = make_trip(lab, owner, "ab"), lab.make_user()
        with pytest.raises(TripNotFound):
            lab.as_owner(stranger, plans.to_plan(stranger, trip_id))
        outcome = lab.as_owner(stranger, plans.apply_plan(stranger, trip_id, 2, []))
        assert outcome == NotApplied.TRIP_DELETED

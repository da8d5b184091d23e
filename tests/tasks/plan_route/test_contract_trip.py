"""A request that names a trip, and how the trip completes it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tasks.plan_route.contract import RouteBody, RouteRequest, TripRequest
from tasks.plan_route.contract.trip import morning
from tests.tasks.plan_route.bodies import body, stop

Json = dict[str, Any]

TRIP_ID = "0199a000-0000-7000-8000-000000000000"
SYDNEY = {"name": "Sydney", "lat": -33.87, "lon": 151.21}
PERTH = {"name": "Perth", "lat": -31.95, "lon": 115.86}
STOPS = [stop("a"), stop("b")]
BODY: TypeAdapter[RouteRequest | TripRequest] = TypeAdapter(RouteBody)


def trip(**changes: Any) -> Json:
    """What a trip says."""
    return {
        "start": SYDNEY,
        "end": "any",
        "zone": None,
        "vehicle": {"speed_factor": 0.9},
        "limits": None,
        "starts_on": date(2026, 3, 1),
        **changes,
    }


def filled(stops: list[Json] = STOPS, *, of: Json | None = None, **given: Any) -> RouteRequest:
    request = TripRequest.model_validate({"trip_id": TRIP_ID, **given})
    return request.filled(of or trip(), stops, 7)


def errors(call: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        call()
    found = refused.value.errors(include_url=False)
    return {".".join(map(str, error["loc"])): error["type"] for error in found}


class TestABody:
    def test_with_a_trip_is_a_trip_request(self) -> None:
        assert isinstance(BODY.validate_python({"trip_id": TRIP_ID, "stops": []}), TripRequest)

    @pytest.mark.parametrize("more", [{}, {"trip_id": None}])
    def test_without_one_is_a_whole_request(self, more: Json) -> None:
        assert isinstance(BODY.validate_python({**body(*STOPS), **more}), RouteRequest)

    def test_with_both_is_refused(self) -> None:
        both = {**body(*STOPS), "trip_id": TRIP_ID}
        assert errors(lambda: BODY.validate_python(both)) == {"stops": "trip_and_stops"}

    def test_names_wrong_fields_of_either_where_they_are(self) -> None:
        wrong = {"trip_id": TRIP_ID, "start": {"lat": 91, "lon": 0}, "colour": "red"}
        assert errors(lambda: BODY.validate_python(wrong)) == {
            "start.lat": "less_than_equal",
            "colour": "extra_forbidden",
        }
        wrong = {**body(*STOPS), "end": {"lat": 91, "lon": 0}}
        assert "end.lat" in errors(lambda: BODY.validate_python(wrong))

    @pytest.mark.parametrize("more", [{}, {"trip_id": TRIP_ID}])
    def test_may_not_say_which_version(self, more: Json) -> None:
        forged = {**(more or body(*STOPS)), "trip_version": 3}
        assert list(errors(lambda: BODY.validate_python(forged))) == ["trip_version"]


class TestATrip:
    def test_completes_the_request(self) -> None:
        request = filled(seed=5)
        assert request.start.name == "Sydney"
        assert request.end == "any"
        assert [one.id for one in request.stops] == ["a", "b"]
        assert request.vehicle.speed_factor == 0.9
        assert request.seed == 5
        assert str(request.trip_id) == TRIP_ID
        assert request.trip_version == 7

    def test_completed_can_be_stored_and_read_again(self) -> None:
        request = filled()
        assert RouteRequest.model_validate(request.model_dump(mode="json")) == request

    def test_gives_way_to_what_is_given(self) -> None:
        request = filled(start=PERTH, end="start", vehicle={"tank_l": "90"})
        assert request.start.name == "Perth"
        assert request.end == "start"
        assert request.vehicle.tank_l == "90"
        assert request.vehicle.speed_factor == 1.0

    def test_is_not_undone_by_null(self) -> None:
        request = filled(start=None, end=None, vehicle=None, depart_at=None)
        assert (request.start.name, request.end) == ("Sydney", "any")

    def test_leaves_in_the_morning_of_its_first_day_where_it_starts(self) -> None:
        assert filled().depart_at.isoformat() == "2026-02-28T21:00:00+00:00"

    def test_knows_its_zone_better_than_the_map(self) -> None:
        request = filled(of=trip(zone="Australia/Perth"))
        assert request.depart_at.isoformat() == "2026-03-01T00:00:00+00:00"
        assert request.zone == "Australia/Perth"

    def test_leaves_when_the_request_says_so(self) -> None:
        at = "2026-04-01T08:00:00Z"
        assert filled(depart_at=at, of=trip(starts_on=None)).depart_at.day == 1

    def test_leaves_after_a_time_that_a_clock_change_skips(self) -> None:
        # Samoa had no 30 December 2011; 08:00 of the day before plus 24 hours is 18:00 UTC
        skipped = trip(zone="Pacific/Apia", starts_on=date(2011, 12, 30))
        assert filled(of=skipped).depart_at.isoformat() == "2011-12-30T18:00:00+00:00"

    @pytest.mark.parametrize(
        ("limits", "hour"), [(None, 8), ({"day_start": None}, 8), ({"day_start": "06:30"}, 6)]
    )
    def test_leaves_when_its_days_start(self, limits: Json | None, hour: int) -> None:
        leaves = morning(date(2026, 3, 1), {"start": SYDNEY, "limits": limits})
        assert leaves.hour == hour
        assert leaves.tzname() == "AEDT"

    def test_names_all_that_is_missing_at_once(self) -> None:
        bare = trip(start=None, starts_on=None)
        assert errors(lambda: filled([STOPS[0]], of=bare)) == {
            "start": "missing",
            "depart_at": "missing",
            "stops": "too_short",
        }

    def test_names_a_stop_that_cannot_be_reached_by_its_place(self) -> None:
        closed = stop("b", (-9000, -6000))
        found = errors(lambda: filled([STOPS[0], closed], depart_at="2026-03-01T08:00:00+11:00"))
        assert found == {"stops.1.windows.0.end": "infeasible"}

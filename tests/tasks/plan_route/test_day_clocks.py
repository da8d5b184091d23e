"""Days of 23 and 25 hours, zones along the way, the date line, weekly opening hours."""

from __future__ import annotations

from typing import Any

import pytest

from core.kind import JobFailed
from tests.tasks.plan_route.asking import ask
from tests.tasks.plan_route.bodies import body
from tests.tasks.plan_route.days_bodies import FIVE_HOURS, HOUR, OFFICE, spot, trip
from tests.tasks.plan_route.reading import local, names, nights

Json = dict[str, Any]


class TestClocks:
    """Days of 23 and 25 hours, zones along the way, the date line, the leap day."""

    @pytest.mark.parametrize(
        ("zone", "depart_at", "length_h"),
        [
            ("Europe/Berlin", "2026-03-28T09:00:00+01:00", 23),
            ("Europe/Berlin", "2026-10-24T09:00:00+02:00", 25),
            ("America/New_York", "2026-03-07T09:00:00-05:00", 23),
            ("America/New_York", "2026-10-31T09:00:00-04:00", 25),
            ("Australia/Sydney", "2026-10-03T09:00:00+10:00", 23),
            ("Australia/Sydney", "2026-04-04T09:00:00+11:00", 25),
        ],
    )
    def test_the_morning_after_clocks_change(
        self, zone: str, depart_at: str, length_h: int
    ) -> None:
        stops = [spot("a", zone=zone), spot("b", zone=zone)]
        plan = ask(trip([5, 4], *stops, zone=zone, depart_at=depart_at, limits=OFFICE))
        assert nights(plan) == ["a"]
        assert plan.totals.elapsed_s == (length_h + 4) * HOUR
        assert local(plan, 0, "depart_at", zone)[6:] == "09:00"
        assert plan.violations == []

    def test_evening_and_morning_are_those_of_the_place(self) -> None:
        """Eucla is 45 minutes ahead of Perth."""
        stops = [spot("eucla", zone="Australia/Eucla"), spot("b", zone="Australia/Eucla")]
        more = {"zone": "Australia/Perth", "depart_at": "2026-06-01T09:00:00+08:00"}
        plan = ask(trip([7.25, 1], *stops, **more, limits=OFFICE))
        assert local(plan, 0, "arrive_at", "Australia/Eucla") == "06-01 17:00"
        assert local(plan, 0, "depart_at", "Australia/Eucla") == "06-02 09:00"
        assert plan.violations == []
        late = ask(trip([7.5, 1], *stops, **more, limits=OFFICE))
        assert names(late) == [("DAY_END", 1, 900)]

    def test_back_over_half_an_hour(self) -> None:
        """From Sydney to Broken Hill, whose clocks are half an hour behind."""
        stops = [spot("hill", zone="Australia/Broken_Hill"), spot("b", zone="Australia/Sydney")]
        more = {"zone": "Australia/Sydney", "depart_at": "2026-06-01T09:00:00+10:00"}
        plan = ask(trip([8.5, 1], *stops, **more, limits=OFFICE))
        assert local(plan, 0, "arrive_at", "Australia/Broken_Hill") == "06-01 17:00"
        assert plan.violations == []

    def test_over_the_date_line(self) -> None:
        stops = [spot("pago", zone="Pacific/Pago_Pago"), spot("apia", zone="Pacific/Apia")]
        more = {"zone": "Pacific/Apia", "depart_at": "2026-06-02T09:00:00+13:00"}
        plan = ask(trip([4, 6], *stops, **more, limits=OFFICE))
        assert nights(plan) == ["pago"]
        assert [str(day.date) for day in plan.days] == ["2026-06-02", "2026-06-02"]
        assert local(plan, 1, "arrive_at", "Pacific/Apia") == "06-03 15:00"
        assert plan.violations == []

    def test_the_leap_day(self) -> None:
        stops = [spot("a"), spot("b")]
        more = {"depart_at": "2028-02-28T08:00:00Z", "limits": FIVE_HOURS}
        plan = ask(trip([4, 4], spot("a", nights=2), *stops[1:], **more))
        assert [str(day.date) for day in plan.days] == ["2028-02-28", "2028-02-29", "2028-03-01"]


class TestOpening:
    """Weekly hours, with limits and without."""

    def hours(self, days: str, opens: str, closes: str) -> list[Json]:
        return [{"days": days, "open": opens, "close": closes}]

    @pytest.mark.parametrize("limits", [None, {}])
    def test_closed_until_monday(self, limits: Json | None) -> None:
        museum = spot("a", opening=self.hours("mon-fri", "10:00", "16:00"))
        more = {"depart_at": "2026-03-07T08:00:00Z", "limits": limits}  # a Saturday
        plan = ask(trip([1, 1], museum, spot("b"), **more))
        assert local(plan, 0, "start_at", "UTC") == "03-09 10:00"
        assert nights(plan) == ([] if limits is None else nights(plan)[:2])
        assert plan.violations == []

    @pytest.mark.parametrize("limits", [None, {}])
    def test_across_midnight(self, limits: Json | None) -> None:
        club = spot("a", opening=self.hours("sat", "22:00", "03:00"))
        more = {"depart_at": "2026-03-08T01:30:00Z", "limits": limits}  # early on Sunday
        plan = ask(trip([1, 1], club, spot("b"), **more))
        assert local(plan, 0, "start_at", "UTC") == "03-08 02:30"

    def test_across_a_clock_change_in_the_zone_of_the_stop(self) -> None:
        cafe = spot("a", zone="Europe/Berlin", opening=self.hours("daily", "09:00", "12:00"))
        more = {"depart_at": "2026-03-28T14:00:00Z", "limits": None}
        plan = ask(trip([1, 1], cafe, spot("b"), **more))
        assert plan.visits[0].start_at.isoformat() == "2026-03-29T07:00:00+00:00"

    @pytest.mark.parametrize("others", [1, 14])
    def test_the_order_respects_them(self, others: int) -> None:
        """Going there last saves a day of waiting."""
        cafe = spot("cafe", opening=self.hours("tue", "06:00", "23:00"))
        rest = [spot(f"s{i}", service_s=2 * HOUR) for i in range(others)]
        request = body(cafe, *rest, apart_s=HOUR, budget_s=0.6, objective={"elapsed": 1})
        request["depart_at"] = "2026-03-02T08:00:00Z"
        plan = ask(request)
        start = local(plan, [v.stop_id for v in plan.visits].index("cafe"), "start_at", "UTC")
        assert start >= "03-03 06:00"
        assert plan.totals.wait_s <= max(0, 21 - 3 * others) * HOUR

    def test_within_windows_only(self) -> None:
        window = {"start": "2026-03-02T00:00:00Z", "end": "2026-03-08T00:00:00Z"}
        closed = spot("a", windows=[window], opening=self.hours("sun", "10:00", "12:00"))
        with pytest.raises(JobFailed) as failed:
            ask(trip([1, 1], closed, spot("b"), limits=None))
        assert failed.value.extra == {"stops": ["a"], "proven": True}
        plan = ask(trip([1, 1], closed, spot("b"), limits={}))
        assert names(plan) == [("WINDOW_MISSED", 1, None)]

"""Bodies of route requests with limits: by hand, and any by Hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
HOUR = 3600

FIVE_HOURS = {"driving_per_day_s": 5 * HOUR}
OFFICE = {"day_start": "09:00", "day_end": "17:00"}

ZONES = [
    "Australia/Sydney",
    "Australia/Broken_Hill",
    "Australia/Eucla",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Apia",
    "Pacific/Pago_Pago",
]
NEIGHBOURS = [ZONES[:3], [ZONES[3]], [ZONES[4]], ZONES[5:], ["UTC"]]
DEPARTURES = [
    "2026-03-28T08:00:00+01:00",  # the night before clocks change in Berlin
    "2026-10-03T21:30:00+10:00",  # in Sydney
    "2026-10-31T23:10:00-04:00",  # in New York
    "2028-02-28T06:00:00Z",
    "2026-06-10T12:34:56.500Z",
]
LIMITS: list[Json] = [
    {},
    {"driving_per_day_s": 5 * HOUR},
    {"distance_per_day_m": 300_000},
    {"day_start": "09:00", "day_end": "15:30"},
    {"driving_per_day_s": 4 * HOUR, "day_start": "08:00", "day_end": "18:00"},
    {"driving_per_day_s": 6 * HOUR, "distance_per_day_m": 400_000, "day_end": "00:00"},
]


def spot(stop_id: str, **more: Any) -> Json:
    """A stop at the equator, in UTC unless it says so."""
    return {"id": stop_id, "lat": 0, "lon": 0, "zone": "UTC", **more}


def trip(hours: list[float], *stops: Json, **more: Any) -> Json:
    """A request whose stops lie on a line: `hours` to drive from each place to the next.

    Without an order of its own: each place is far from all but its neighbours. The speed
    is 72 km/h.
    """
    size = len(hours) + 1
    table = [[100 * HOUR if i != j else 0 for j in range(size)] for i in range(size)]
    for i, drive in enumerate(hours):
        table[i][i + 1] = round(drive * HOUR)
    return {
        "start": {"name": "Home", "lat": 0, "lon": 0},
        "zone": "UTC",
        "end": "any" if len(hours) == len(stops) else {"lat": 0, "lon": 0},
        "stops": list(stops),
        "depart_at": "2026-03-02T08:00:00Z",  # a Monday
        "matrix": {"durations_s": table, "distances_m": [[20 * s for s in row] for row in table]},
        "budget_s": 0.2,
        "limits": {},
        **more,
    }


@st.composite
def trips(draw: st.DrawFn, most: int = 4) -> Json:
    """Two to `most` stops with all that days can depend on."""
    zones = draw(st.sampled_from(NEIGHBOURS))
    stops = [_any_stop(draw, f"s{i}", zones) for i in range(draw(st.integers(2, most)))]
    end = draw(st.sampled_from(["start", "any"]))
    size = 1 + len(stops)
    hours = st.sampled_from([0, 0.25, 1, 2.5, 4, 5.2, 6.5, 11, 16])
    flat = draw(st.lists(hours, min_size=size * size, max_size=size * size))
    table = [[round(flat[i * size + j] * HOUR) for j in range(size)] for i in range(size)]
    speed = draw(st.sampled_from([1, 20, 27]))
    return {
        **trip([1] * len(stops), *stops),
        "end": end,
        "zone": draw(st.sampled_from(zones)),
        # Where zones differ, waiting for a clock to change can pay; the split does not try to.
        "depart_at": draw(st.sampled_from(DEPARTURES if len(zones) == 1 else DEPARTURES[-2:])),
        "limits": draw(st.sampled_from(LIMITS)),
        "objective": draw(st.sampled_from([{}, {"driving": 1, "elapsed": 0.5}])),
        "matrix": {
            "durations_s": table,
            "distances_m": [[speed * seconds for seconds in row] for row in table],
        },
    }


def _any_stop(draw: st.DrawFn, stop_id: str, zones: list[str]) -> Json:
    overnight = draw(st.booleans())
    price = draw(st.sampled_from([None, "0", "20.00", "35.50"]))
    opening = draw(
        st.sampled_from(
            [
                [],
                [],
                [{"days": "mon-fri", "open": "09:00", "close": "12:00"}],
                [{"days": "sat,sun", "open": "22:00", "close": "02:30"}],
                [{"days": "daily", "open": "00:00", "close": "24:00"}],
            ]
        )
    )
    return spot(
        stop_id,
        zone=draw(st.sampled_from(zones)),
        service_s=round(HOUR * draw(st.sampled_from([0, 0.5, 3, 9, 26]))),
        overnight=overnight,
        nights=draw(st.sampled_from([0, 0, 0, 1, 3])) if overnight else 0,
        night_cost=None if price is None else {"amount": price, "currency": "AUD"},
        opening=opening,
    )

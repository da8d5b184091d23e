"""What a planned route looks like: visits, legs, days, sums and how good it is."""

from __future__ import annotations

import datetime
from datetime import UTC
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from tasks.plan_route.contract.values import Money

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]


class Part(BaseModel):
    """Base of all parts of a plan."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Visit(Part):
    """One stop, at its place in the order."""

    stop_id: str
    arrive_at: UtcTime
    wait_s: int = Field(description="From arrival to the start of the service.")
    start_at: UtcTime
    depart_at: UtcTime = Field(description="After the visit and the nights that follow it here.")
    zone: str = Field(description="IANA zone of the stop, for showing the times.")
    day: int = Field(description="Day of the arrival; see `days`.")


class Leg(Part):
    """The drive between two consecutive places of the plan."""

    from_: str = Field(alias="from", description='Stop id, or "start".')
    to: str = Field(description='Stop id, or "start" or "end".')
    duration_s: int
    distance_m: int
    day: int = Field(description="Day on which the leg begins, even if it goes on by the next.")


class Night(Part):
    """Where a night is spent; without a stop it is a roadside night."""

    stop_id: str | None = Field(
        description='A stop that allows nights, or "start" before leaving. null: by the road, or '
        "at a stop that allows none; a violation names it."
    )
    cost: Money | None = None


class Day(Part):
    """With limits: a day between two nights, all days of the trip one after the other.

    Without limits: a date in the zone of the departure on which a leg or visit begins;
    a leg counts on the day on which it begins.
    """

    day: int = Field(description="1 is the date of the departure.")
    date: datetime.date = Field(description="By the clock of the place where the day begins.")
    driving_s: int
    distance_m: int
    night: Night | None = None


class Skipped(Part):
    """An optional stop that the plan leaves out."""

    stop_id: str
    reason: str


class Violation(Part):
    """A wish that the plan does not keep; without limits there are none.

    DRIVING_LIMIT, DISTANCE_LIMIT, DAY_END: the limit keeps this day from getting to the
    next place. Either the day overruns and gets there, or it ends by the road
    (`days[].night.stop_id` is null). NIGHT_NOT_ALLOWED: a night at a stop without
    `overnight`. WINDOW_MISSED: a visit begins after the last window or opening.
    """

    code: Literal[
        "DRIVING_LIMIT", "DISTANCE_LIMIT", "DAY_END", "NIGHT_NOT_ALLOWED", "WINDOW_MISSED"
    ]
    stop_id: str | None = Field(None, description="The stop of a night or window.")
    day: int | None = None
    by_s: int | None = Field(
        None,
        description="Limits: seconds of driving, or past the end of the day, beyond the limit "
        "to the next place: driven on an overrun day, left over on a day that ends by the "
        "road. Windows: how late; null where the opening hours leave none.",
    )
    by_m: int | None = Field(None, description="DISTANCE_LIMIT: the same in metres.")
    detail: str = ""


class Notice(Part):
    """Something to know about the plan that breaks no wish."""

    code: str
    detail: str


class Totals(Part):
    """Sums over the plan; fuel is null where the consumption or the price is not given."""

    driving_s: int
    distance_m: int
    wait_s: int
    service_s: int
    elapsed_s: int = Field(description="From the departure to the arrival at the end.")
    days: int = Field(
        description="With limits: nights plus one. Else calendar days touched, in the zone of "
        "the departure."
    )
    nights_cost: list[Money] = Field(
        default_factory=list, description="Prices of the nights at stops, a sum per currency."
    )
    fuel_l: str | None = None
    fuel_cost: Money | None = None


class Baseline(Part):
    """The order as it was given, all stops included, whatever its windows say."""

    driving_s: int
    distance_m: int


class Quality(Part):
    """How good the plan is, and how sure that is."""

    engine: str
    lower_bound: float | None = Field(None, description="No plan has a smaller objective.")
    gap: float | None = Field(None, description="(objective - lower_bound) / |objective|")
    proven_optimal: bool = False
    deterministic: bool = Field(
        False, description="The same request gives the same plan on any machine."
    )


class MatrixOrigin(Part):
    """Where durations and distances come from."""

    source: Literal["own", "mapbox", "highway_graph", "great_circle"]
    error_p90: str | None = Field(
        None, description="Nine of ten distances err by less than this share; null: not known."
    )


class RoutePlan(Part):
    """The best plan that was found."""

    visits: list[Visit]
    legs: list[Leg]
    days: list[Day]
    skipped: list[Skipped] = Field(default_factory=list)
    violations: list[Violation] = Field(default_factory=list)
    totals: Totals
    baseline: Baseline
    objective: float = Field(
        description="Weighted driving_s, elapsed_s and distance_m, less the prizes collected."
    )
    quality: Quality
    applied: bool | None = None
    not_applied_reason: str | None = None
    matrix: MatrixOrigin
    geojson: dict[str, Any] = Field(
        default_factory=dict,
        description="RFC 7946 FeatureCollection: a Point per place, a straight line per leg.",
    )
    warnings: list[Notice] = Field(default_factory=list)

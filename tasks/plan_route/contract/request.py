"""What a client posts to have a route planned."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    FailFast,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tasks.plan_route.contract import rules
from tasks.plan_route.contract.hours import Limits as Limits
from tasks.plan_route.contract.hours import Opening
from tasks.plan_route.contract.values import (
    DecimalText,
    Label,
    Model,
    Moment,
    Money,
    Place,
    Text,
    Zone,
)

MIN_STOPS = 2
MAX_STOPS = 500
MAX_BUDGET_S = 120.0
MAX_WINDOWS = 62  # two a day for a month
MAX_OPENING = 28  # four a day
MAX_CELL = 100_000_000  # three years of seconds, 100,000 km of metres
MAX_SERVICE_S = 366 * 24 * 3600
MAX_NIGHTS = 366
MAX_WEIGHT = 1000.0
MAX_PRIZE = 1_000_000_000.0
DECIMALS: Final = 4
"""Decimal places of weights and prizes: all costs are then whole numbers of 64 bits."""


def _few_decimals(value: float) -> float:
    if round(value, DECIMALS) != value:
        raise PydanticCustomError(
            "too_many_decimals", "At most {places} decimal places", {"places": DECIMALS}
        )
    return value


Weight = Annotated[
    float,
    Field(strict=True, ge=0, le=MAX_WEIGHT, allow_inf_nan=False),
    AfterValidator(_few_decimals),
]
StopId = Annotated[Label, StringConstraints(max_length=64)]
Count = Annotated[int, Field(strict=True, ge=0)]


class Window(Model):
    """A time window: the service of the stop starts within it, both ends included."""

    start: Moment
    end: Moment

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: Any, info: ValidationInfo) -> Any:
        if (start := info.data.get("start")) is not None and end < start:
            raise PydanticCustomError("window_order", "The window ends before it starts")
        return end


class StopFields(Model):
    """What is known of a place to visit, whoever names it."""

    name: Text = ""
    lat: float = Field(strict=True, ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(strict=True, ge=-180, le=180, allow_inf_nan=False)
    service_s: Count = Field(0, le=MAX_SERVICE_S, description="How long the visit takes.")
    windows: list[Window] = Field(
        default_factory=list,
        max_length=MAX_WINDOWS,
        description="The service starts within any one of them. Empty: at any time. "
        "Who arrives early waits.",
    )
    opening: list[Opening] = Field(
        default_factory=list,
        max_length=MAX_OPENING,
        description="Weekly hours in the zone of the stop, on top of `windows`: the service "
        "starts within both. Empty: always open.",
    )
    required: bool = Field(True, strict=True)
    prize: float = Field(
        0,
        strict=True,
        ge=0,
        le=MAX_PRIZE,
        allow_inf_nan=False,
        validate_default=True,  # an optional stop must say what it is worth
        description="What a visit of an optional stop is worth, in the unit of the objective: "
        "with the default weights, the seconds of driving it may cost at most.",
    )
    zone: Zone | None = Field(None, description="null: found from the coordinates.")
    overnight: bool = Field(
        True,
        strict=True,
        description="With `limits`: a night may be spent here. Waits and visits over midnight "
        "are nights, too.",
    )
    nights: int = Field(
        0,
        strict=True,
        ge=0,
        le=MAX_NIGHTS,
        description="At least so many nights here, left in the morning after the last. Without "
        "`limits` the stay takes at least so many times 24 hours.",
    )
    night_cost: Money | None = Field(
        None,
        description="Price of a night. Decides between plans that are alike in violations, "
        "objective and days, if all prices are in one currency.",
    )

    @field_validator("prize")
    @classmethod
    def _only_optional(cls, prize: float, info: ValidationInfo) -> float:
        required = info.data.get("required")
        if required is True and prize > 0:
            raise PydanticCustomError("prize_of_required", "Only an optional stop has a prize")
        if required is False and prize == 0:
            raise PydanticCustomError(
                "prize_missing", "An optional stop needs a prize greater than 0"
            )
        return _few_decimals(prize)

    @field_validator("nights")
    @classmethod
    def _where_allowed(cls, nights: int, info: ValidationInfo) -> int:
        if nights and info.data.get("overnight") is False:
            raise PydanticCustomError("nights_not_allowed", "No night may be spent at this stop")
        return nights


class Stop(StopFields):
    """A place to visit, once."""

    id: StopId = Field(description='Unique within the request; not "start" or "end".')

    @field_validator("id")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value in ("start", "end"):
            raise PydanticCustomError(
                "stop_id_reserved", 'A stop cannot be called "{id}"', {"id": value}
            )
        return value


class Vehicle(Model):
    """What is driven."""

    speed_factor: float = Field(
        1.0,
        strict=True,
        ge=0.1,
        le=2,
        allow_inf_nan=False,
        description="Speed relative to a car. Not applied to an own matrix.",
    )
    fuel_l_per_100km: DecimalText | None = None
    tank_l: DecimalText | None = Field(
        None, description="With `fuel_l_per_100km`: legs beyond its range are warned of."
    )
    fuel_price: Money | None = Field(None, description="Per litre.")
    height_m: DecimalText | None = Field(None, description="Clearances are not checked; a warning.")


class Objective(Model):
    """Weights of what is to be small: per second driven, per second elapsed, per metre."""

    driving: Weight = 1
    elapsed: Weight = 0
    distance: Weight = 0


Row = Annotated[
    list[Annotated[int, Field(strict=True, ge=0, le=MAX_CELL)]],
    FailFast(),  # one wrong cell of a row is enough to say
    Field(max_length=MAX_STOPS + 2),
]


class OwnMatrix(Model):
    """Tables of the caller: row from, column to; the diagonal is not read."""

    durations_s: list[Row] = Field(max_length=MAX_STOPS + 2)
    distances_m: list[Row] = Field(max_length=MAX_STOPS + 2)


def _word_or_place(value: Any, _: Any) -> str | Place:
    if isinstance(value, str):
        if value not in ("start", "any"):
            raise PydanticCustomError("end_unknown", 'Give "start", "any" or a place')
        return value
    return Place.model_validate(value)  # its errors keep their fields: end.lat


End = Annotated[Literal["start", "any"] | Place, WrapValidator(_word_or_place)]


class Wish(Model):
    """What is asked of the planner, whatever it plans."""

    objective: Objective = Objective()
    matrix: OwnMatrix | None = Field(
        None, description="Own tables; order: start, stops as given, then end if it is a place."
    )
    budget_s: float = Field(
        5,
        strict=True,
        ge=0.05,
        le=MAX_BUDGET_S,
        allow_inf_nan=False,
        description="A cap in seconds; the engine stops when the optimum is proven.",
    )
    seed: int = Field(1, strict=True, ge=0, lt=2**32)
    tags: list[Label] = Field(default_factory=list, max_length=20)
    supersedes: Label | None = Field(
        None,
        description="A tag. Your older unfinished plans with it are cancelled in the moment in "
        "which this one is accepted, which gets the tag: `trip:{id}` where a trip is replanned.",
        # a release that does not know it yet would refuse the job
        exclude_if=lambda tag: tag is None,
    )


class RouteRequest(Wish):
    """Stops to bring into the best order, and what the plan must respect."""

    start: Place
    end: End = Field(
        "start", description='"start": a round trip. "any": wherever the last stop is. Or a place.'
    )
    stops: list[Stop] = Field(
        default_factory=list, max_length=MAX_STOPS, description=f"{MIN_STOPS} to {MAX_STOPS}."
    )
    depart_at: Moment
    zone: Zone | None = Field(None, description="Zone of the start; null: from its coordinates.")
    limits: Limits | None = Field(None, description="null: no days, drive on.")
    vehicle: Vehicle = Vehicle()
    trip_id: UUID | None = Field(None, description="null: a route of no trip; see `TripRequest`.")
    trip_version: int | None = Field(
        None,
        strict=True,
        ge=1,
        validate_default=True,
        description="Written by the server: which version of the trip this is. Leave it out.",
    )

    @field_validator("trip_version")
    @classmethod
    def _of_a_trip(cls, version: int | None, info: ValidationInfo) -> int | None:
        trip_id = info.data.get("trip_id", version)
        if (version is None) != (trip_id is None):
            raise PydanticCustomError(
                "trip_version", "The server writes this, and only for a trip; leave it out"
            )
        return version

    @model_validator(mode="wrap")
    @classmethod
    def _every_wrong_field(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Report rules across fields together with the fields' own errors.

        Raises:
            ValidationError: with the location of each wrong field.
        """
        findings = rules.of_shape(data, MIN_STOPS, MAX_STOPS)
        try:
            request = handler(data)
        except ValidationError as error:
            raise rules.refusal(findings, error) from None
        if findings := findings or rules.of_sense(request):
            raise rules.refusal(findings)
        return request

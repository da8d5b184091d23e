"""Schedules, as they come in and go out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from api.merge import PatchOf
from core.kind import KINDS, Kind
from services.jobs.shown import UtcTime
from services.schedules.firing import tag_of
from services.schedules.periods import CATCH_UP_MAX, CRON_MAX, GRACE, check_cron
from services.schedules.views import RunView, ScheduleView
from tasks.plan_route.contract.values import Label, Model, Moment, Text, Zone


def _cron(expression: str) -> str:
    check_cron(expression)
    return " ".join(expression.split())


Cron = Annotated[
    str,
    StringConstraints(max_length=CRON_MAX, pattern=r"^[0-9A-Za-z*,/#\- ]+$"),
    AfterValidator(_cron),
    Field(
        description="Minute, hour, day, month and weekday, as Debian's cron reads them in `zone`; "
        "also `L` (last day), `LW` (last weekday), `MON#2` (second Monday), `5L` (last Friday). A "
        "wall-clock time that the zone skips runs once, after the gap; one that comes twice runs "
        "once, the first time. Where minute or hour begins with `*`, elapsed time counts instead.",
        examples=["0 7 * * MON-FRI"],
    ),
]


class ScheduleFields(Model):
    """What the owner writes of a schedule."""

    title: Text = ""
    kind: Label = Field(description="Of the jobs to make.", examples=["plan_route"])
    input: dict[str, Any] = Field(
        description="A whole request of that kind, as its own endpoint takes it. Checked when it "
        "is written, and stored with its defaults filled in."
    )
    cron: Cron
    zone: Zone
    tags: list[Label] = Field(
        default_factory=list,
        max_length=20,
        description="Of the jobs; each also has the tag `schedule:{id}`.",
    )
    priority: Literal["interactive", "batch"] = Field(
        "batch", description="`batch` yields to jobs that somebody waits for, a minute at most."
    )
    catch_up: Literal["one", "none", "all"] = Field(
        "one",
        description="What becomes of periods that passed while no job could be made, because the "
        "service was down or you had too many unfinished jobs. `one`: the newest is made up for. "
        f"`all`: all are, in order, the newest {CATCH_UP_MAX} at most. `none`: only one less than "
        f"{GRACE.seconds // 60} minutes late. The others are recorded as skipped.",
    )
    enabled: bool = Field(True, strict=True)
    starts_at: Moment | None = Field(None, description="No period before it.")
    ends_at: Moment | None = Field(None, description="No period from it on.")

    @field_validator("ends_at")
    @classmethod
    def _after_start(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("starts_at")
        if end is not None and start is not None and end <= start:
            raise PydanticCustomError("ends_first", "Must be after starts_at")
        return end


def _again(error: Mapping[str, Any], *below: str) -> InitErrorDetails:
    """A line error of a caught ValidationError, to be raised once more."""
    message = str(error["msg"]).replace("{", "(").replace("}", ")")
    return InitErrorDetails(
        type=PydanticCustomError(error["type"], message),
        loc=(*below, *error["loc"]),
        input=error["input"],
    )


def _kind_of(data: Any) -> Kind[Any, Any] | None:
    name = data.get("kind") if isinstance(data, Mapping) else None
    kind = KINDS.get(name) if isinstance(name, str) else None
    return kind if kind is not None and kind.schedulable else None


class ScheduleNew(ScheduleFields):
    """A request to submit again and again."""

    @model_validator(mode="wrap")
    @classmethod
    def _with_its_request(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Check the input as a request of the kind, together with all other fields.

        Raises:
            ValidationError: with the location of each wrong field, below `input` too.
        """
        found: list[InitErrorDetails] = []
        made, request, kind = None, None, _kind_of(data)
        try:
            made = handler(data)
        except ValidationError as error:
            found += [_again(dict(each)) for each in error.errors(include_url=False)]
        if kind is None and isinstance(data, Mapping) and isinstance(data.get("kind"), str):
            unknown = PydanticCustomError("kind_unknown", "No kind of job that can be scheduled")
            found.append(InitErrorDetails(type=unknown, loc=("kind",), input=data["kind"]))
        if kind is not None and isinstance(data.get("input"), Mapping):
            try:
                request = kind.request.model_validate(data["input"])
            except ValidationError as error:
                found += [_again(dict(each), "input") for each in error.errors(include_url=False)]
        if found or made is None or request is None:
            raise ValidationError.from_exception_data("ScheduleNew", found)
        return made.model_copy(update={"input": request.model_dump(mode="json")})

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        times = {"starts_at": self.starts_at, "ends_at": self.ends_at}
        return {**self.model_dump(mode="json"), **times}


SchedulePatch = Annotated[dict[str, Any], PatchOf(ScheduleNew)]


class ScheduleLinks(BaseModel):
    """Where to go from here; relative to the server."""

    self: str
    run: str
    runs: str
    jobs: str


class ScheduleRead(ScheduleFields):
    """A schedule."""

    id: UUID
    next_run_at: datetime | None = Field(
        description="The next period; null where it is disabled, or none will come."
    )
    retry_at: datetime | None = Field(
        description="When a period that could not be made is tried again; `last_error` says why."
    )
    last_run_at: datetime | None = Field(description="When its last job was made.")
    last_job_id: UUID | None = Field(description="That job; it may have been deleted since.")
    last_error: dict[str, Any] | None
    version: int = Field(description="Grows with every change by its owner; the ETag.")
    created_at: datetime
    updated_at: datetime
    links: ScheduleLinks


def schedule_shown(schedule: ScheduleView) -> dict[str, Any]:
    """The fields of `ScheduleRead`. What was valid once is shown as it was stored."""
    times = ("starts_at", "ends_at", "next_run_at", "last_run_at", "created_at", "updated_at")
    late = schedule.due_at if schedule.due_at != schedule.next_run_at else None
    address = f"/api/v1/schedules/{schedule.id}"
    return {
        "id": schedule.id,
        **schedule.written(),
        **{name: _utc(getattr(schedule, name)) for name in times},
        "retry_at": _utc(late),
        "last_job_id": schedule.last_job_id,
        "last_error": schedule.last_error,
        "version": schedule.version,
        "links": {
            "self": address,
            "run": f"{address}/run",
            "runs": f"{address}/runs",
            "jobs": f"/api/v1/jobs?tag={tag_of(schedule.id)}",
        },
    }


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


class ScheduleRunRead(BaseModel):
    """What became of a period."""

    id: UUID
    period_at: UtcTime | None = Field(description="null: run by hand.")
    through_at: UtcTime | None = Field(
        description="The last period, where several were skipped together."
    )
    outcome: Literal["made", "skipped"]
    job_id: UUID | None = Field(description="The job; it may have been deleted since.")
    error: dict[str, Any] | None = Field(description="Why it was skipped.")
    at: UtcTime = Field(description="When that was settled.")

    @classmethod
    def of(cls, run: RunView) -> ScheduleRunRead:
        return cls.model_validate(run, from_attributes=True)

"""What can be wrong with what is asked of a schedule, and why a period was not made."""

from __future__ import annotations

from core.errors import Conflict, NotFound
from services.jobs.errors import job_error


class ScheduleNotFound(NotFound):
    """There is no such schedule."""

    code = "SCHEDULE_NOT_FOUND"


class TooManySchedules(Conflict):
    """You have as many schedules as one user may have; delete one first."""

    code = "TOO_MANY_SCHEDULES"


MISSED = job_error(
    "PERIOD_MISSED", "The schedule was not looked at in time.", status=503, retryable=False
)

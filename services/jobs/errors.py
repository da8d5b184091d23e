"""What can be wrong with what is asked of a job."""

from __future__ import annotations

from typing import Any

from core.errors import AppError, Conflict, NotFound, problem
from services.idempotency import KeyInFlight as KeyInFlight
from services.idempotency import KeyReused as KeyReused


class JobNotFound(NotFound):
    """There is no such job."""

    code = "JOB_NOT_FOUND"


class TooManyJobs(AppError):
    """You have too many unfinished jobs; wait for some to end."""

    status, code = 429, "TOO_MANY_JOBS"


class JobFinished(Conflict):
    """This job has already ended."""

    code = "JOB_FINISHED"


class JobNotFinished(Conflict):
    """This job has not ended yet; only an ended job can be tried again."""

    code = "JOB_NOT_FINISHED"


class KindGone(Conflict):
    """This release no longer knows jobs of this kind."""

    code = "KIND_GONE"


class WorkerNotFound(NotFound):
    """There is no living worker of this name."""

    code = "WORKER_NOT_FOUND"


class NotADeadLetter(Conflict):
    """This job has not failed by an error that another attempt may not meet."""

    code = "NOT_A_DEAD_LETTER"


class NotImproving(Conflict):
    """Jobs of this kind hold no result before their end, so there is none to keep."""

    code = "JOB_HAS_NO_INTERIM_RESULT"


def job_error(
    code: str, detail: str, *, status: int = 500, retryable: bool = False, **extra: Any
) -> dict[str, Any]:
    """The error of a job: the error body of the contract, plus `retryable`."""
    return problem(status, code, detail, retryable=retryable, **extra)


WORKER_LOST = job_error(
    "WORKER_LOST", "The worker that ran this job was lost.", status=503, retryable=True
)
DEADLINE_EXCEEDED = job_error(
    "DEADLINE_EXCEEDED", "The job did not end before its deadline.", status=504
)
TIME_LIMIT_EXCEEDED = job_error(
    "TIME_LIMIT_EXCEEDED", "The job ran longer than jobs of its kind may.", status=504
)

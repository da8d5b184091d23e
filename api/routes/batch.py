"""Many jobs in one request: all of them are accepted, or none."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError

from api.acceptance import ACCEPTED, Accept
from api.intake import INTAKES
from api.limits import SUBMITS
from api.schemas.base import Page
from api.schemas.batch import BatchBody
from core.database import Steps
from core.errors import NotFound
from services.jobs.shown import JobRead
from services.jobs.submit import Fill, NewJob

router = APIRouter(tags=["jobs"])

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "All accepted, in their order; poll or stream them.",
        "headers": {
            name: each for name, each in ACCEPTED[202]["headers"].items() if name != "Location"
        },
    },
    404: {
        "$ref": "#/components/responses/NotFound",
        "description": "A job names what is not there, or not yours; `detail` says which.",
    },
}


@router.post("/jobs:batch", status_code=202, response_model=Page[JobRead], responses=_ACCEPTED)
async def submit_batch(body: BatchBody, work: Accept) -> Response:
    """Submit up to 100 jobs in one transaction: where one is refused, none is accepted.

    Each `input` is what the route of its kind takes. The headers of a submit count for every
    job, the quota for all of them together, and the `Idempotency-Key` for the request as a
    whole. Jobs are written in their order: a later one may supersede an earlier one.
    """
    # the request itself has been counted
    limiter = work.process.limiter
    limiter.check_writes(work.request, work.user.id, SUBMITS, times=len(body.jobs) - 1)
    refused = Refusals()
    wanted: list[tuple[NewJob, Fill | None]] = []
    for number, job in enumerate(body.jobs):
        intake = INTAKES[job.kind]
        asked = intake.read(work.user.id, job.input)
        tags = list(dict.fromkeys([*asked.tags, *job.tags]))
        new = work.new_job(intake.kind, asked.content, tags, asked.supersedes)
        wanted.append((new, asked.fill and refused.collecting(number, asked.fill)))
    content = [{"kind": n.kind.name, "input": n.input, "tags": n.tags} for n, _ in wanted]
    return await work.accept_batch(wanted, content, refused.check)


class Refusals:
    """What turns out to be wrong with jobs while they are completed, named by their place."""

    def __init__(self) -> None:
        self._found: list[Any] = []

    def collecting(self, number: int, fill: Fill) -> Fill:
        """`fill` for the job at this place. What it refuses is noted; `check` refuses the batch."""

        def noting(new: NewJob) -> Steps[NewJob]:
            try:
                return (yield from fill(new))
            except RequestValidationError as error:
                place = ("body", "jobs", number, "input")
                found = error.errors()
                self._found += [{**each, "loc": (*place, *each["loc"][1:])} for each in found]
                return new
            except NotFound as error:
                raise type(error)(f"jobs.{number}: {error.detail}") from None

        return noting

    def check(self) -> None:
        """
        Raises:
            RequestValidationError: names every wrong field of every job.
        """
        if self._found:
            raise RequestValidationError(self._found)

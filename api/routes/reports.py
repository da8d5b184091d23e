"""Expense reports: a part of the books in, a job that makes files out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter

from api.acceptance import ACCEPTED, Accept
from api.intake import Intake, Wanted
from api.schemas.base import One
from core.database import Steps
from services.books import finance
from services.jobs.shown import JobRead
from services.jobs.submit import NewJob
from services.trips import views as trips
from tasks.report_expenses.contract import REPORT_EXPENSES, ReportRequest, dated

router = APIRouter(prefix="/reports", tags=["reports"])


@router.post(
    "",
    status_code=202,
    response_model=One[JobRead],
    responses=ACCEPTED
    | {
        404: {
            "$ref": "#/components/responses/NotFound",
            "description": "There is no such trip, or it is not yours (`TRIP_NOT_FOUND`).",
        }
    },
)
async def report_expenses(body: ReportRequest, work: Accept) -> Response:
    """Report a period or a trip in several formats, which agree to the cent.

    All files are made from one look at the books; each is a `job.artifact` as soon as it is
    there. What is not converted into the currency of the report counts in no total and is listed
    (`unconverted`). An expense that is spread over days counts with its share of the days in the
    period, and has a line for each month.

    Where the same is asked again and the books have not changed, `result.artifacts` are those of
    the job that made them (`made_by`), and the new job has none of its own.

    A schedule may ask for `{"relative": "previous_month"}`: the month before the time that it is
    scheduled for, in its zone, however late it runs.
    """
    return await work.accept_wanted(REPORT_EXPENSES, REPORTS.read(work.user.id, body))


def _wanted(owner_id: UUID, body: ReportRequest) -> Wanted:
    tag = f"trip:{body.trip_id}"
    tags = body.tags if body.trip_id is None or tag in body.tags else [*body.tags, tag]
    return Wanted(body.model_dump(mode="json"), tags, fill=partial(_fill, owner_id, body))


def _fill(owner_id: UUID, body: ReportRequest, new: NewJob) -> Steps[NewJob]:
    """The job with the whole request: what is not said is as in the books, and of today.

    Raises:
        TripNotFound
        RequestValidationError: the books have no base currency, and the request names none.
    """
    if body.trip_id is not None:
        yield from trips.RECORDS.read(owner_id, body.trip_id)
    settings = yield from finance.read(owner_id)
    currency = body.currency or settings.currency
    if currency is None:
        nameless = {
            "type": "missing",
            "loc": ("body", "currency"),
            "msg": "Name one, or set the base currency of your books",
            "input": None,
        }
        raise RequestValidationError([nameless], body=new.input)
    content = {**new.input, "currency": currency, "zone": body.zone or settings.zone}
    return replace(new, input=dated(content, datetime.now(UTC), settings.zone))


REPORTS: Intake[ReportRequest] = Intake(REPORT_EXPENSES, TypeAdapter(ReportRequest), _wanted)

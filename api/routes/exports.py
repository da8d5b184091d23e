"""Exports: a job that writes the entries of the books to a CSV file."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from api.acceptance import ACCEPTED, Accept
from api.intake import Intake, Wanted
from api.schemas.base import One
from services.jobs.shown import JobRead
from tasks.export_books.contract import EXPORT_BOOKS, ExportRequest

router = APIRouter(prefix="/exports", tags=["exports"])


@router.post("", status_code=202, response_model=One[JobRead], responses=ACCEPTED)
async def export_books(body: ExportRequest, work: Accept) -> Response:
    """Export expenses or incomes as CSV (RFC 4180, UTF-8), with the filters of their lists.

    The file is the job's artifact, and its id is in the result: with `Prefer: wait=10` the answer
    usually names it. All entries are from one moment. `POST /imports` takes the file of expenses
    back, guarded or `raw`, and makes the same entries of it.
    """
    return await work.accept_wanted(EXPORT_BOOKS, EXPORTS.read(work.user.id, body))


def _wanted(_owner_id: UUID, body: ExportRequest) -> Wanted:
    return Wanted(body.model_dump(mode="json"), body.tags)


EXPORTS: Intake[ExportRequest] = Intake(EXPORT_BOOKS, TypeAdapter(ExportRequest), _wanted)

"""Imports: a CSV file in, a job that writes its expenses or says what is wrong with them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.acceptance import ACCEPTED, Accept, Acceptance
from api.errors import MalformedJson, UnsupportedMediaType
from api.incoming import Incoming, incoming_file
from api.schemas.base import One
from api.schemas.imports import BODY
from api.text import refuse_unstorable
from core.database import Steps, perform_async
from core.ids import public_id
from services.artifacts import rows
from services.artifacts.rows import NewArtifact
from services.jobs.shown import JobRead
from services.jobs.submit import NewJob, Submitted, submit
from tasks.import_expenses.contract import IMPORT_EXPENSES, ImportOptions, ImportRequest

router = APIRouter(prefix="/imports", tags=["imports"])

M = TypeVar("M", bound=BaseModel)
#: What the file of a raw upload is called.
UNNAMED = "expenses.csv"
_FILES = ("text/csv", "text/plain", "application/csv", "application/octet-stream")


@router.post(
    "",
    status_code=202,
    response_model=One[JobRead],
    responses=ACCEPTED
    | {
        404: {
            "$ref": "#/components/responses/NotFound",
            "description": "There is no such file, or it is not yours (`ARTIFACT_NOT_FOUND`).",
        },
        410: {
            "$ref": "#/components/responses/Gone",
            "description": "The time of the file is over (`ARTIFACT_EXPIRED`).",
        },
    },
    openapi_extra={"requestBody": BODY},
)
async def import_expenses(
    request: Request,
    work: Accept,
    options: Annotated[
        str | None, Query(description="With `text/csv`: ImportOptions as JSON.", max_length=20_000)
    ] = None,
) -> Response:
    """Import expenses from a CSV file: all of its lines, or none.

    Begin with `dry_run`: it shows how the file is written (encoding, delimiter, dates, decimal
    separator), a guess of which column is what, every line that is wrong, lines like an entry that
    is there already, totals, and the first expenses as they would be. Then post again with
    `file_id` (the `input` of the first job has it) and what the file leaves open; nothing has to be
    uploaded twice. Lines are checked like `POST /expenses`.

    The result of the job is an `ImportResult`. Where lines are wrong, the job fails with
    `LINES_WRONG`, its error names them, and nothing was written. Our own exports need no columns,
    guarded or raw. A file has as many bytes and lines as this installation allows (25 MB, 100,000).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return await _again(request, work)
    if media_type not in (*_FILES, "multipart/form-data"):
        raise UnsupportedMediaType("Send multipart/form-data, text/csv, or application/json.")
    most = work.process.settings.import_max_bytes
    async with incoming_file(request, most) as incoming:
        told = _read(ImportOptions, incoming.fields.get("options", options) or "{}", "options")
        return await _upload(work, incoming, told)


async def _again(request: Request, work: Acceptance) -> Response:
    """Import a file that is there already."""
    body = _read(ImportRequest, (await request.body()).decode("utf-8", "replace"), "body")
    async with work.process.databases.app.transaction(work.user.id) as db:
        await perform_async(db, rows.read(work.user.id, body.file_id))
    return await work.accept(IMPORT_EXPENSES, body, tags=body.tags)


async def _upload(work: Acceptance, incoming: Incoming, options: ImportOptions) -> Response:
    name = incoming.name or UNNAMED
    file = await asyncio.to_thread(NewArtifact.of, name, "text/csv", incoming.path)
    await asyncio.to_thread(work.process.artifacts.put, file.location, incoming.path)
    told, file_id = options.model_dump(mode="json"), public_id()
    new = work.new_job(IMPORT_EXPENSES, {**told, "file_id": str(file_id)}, options.tags)
    # the same file with the same options is the same request, whatever id it gets
    fingerprint = {"options": told, "file": file.sha256, "name": name}
    return await work.carry_out(_submit(work, new, fingerprint, file, file_id))


def _submit(
    work: Acceptance, new: NewJob, fingerprint: dict[str, Any], file: NewArtifact, file_id: UUID
) -> Steps[Submitted]:
    """Write the job, and its file with it; the bytes of a replay are swept."""
    entry, owner_id = work.entry, work.user.id
    submitted = yield from submit(
        owner_id,
        new,
        limits=entry.limits,
        key=work.key(fingerprint),
        pace=entry.pace,
        admit=entry.admit,
        keep_days=entry.keep_days,
    )
    if submitted.replayed:
        return submitted
    yield from rows.attach(owner_id, submitted.job_id, file_id, file)
    return replace(submitted, view=None)  # it is read once the file is there


def _read(model: type[M], text: str, where: str) -> M:
    """
    Raises:
        MalformedJson
        RequestValidationError: names every wrong field.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedJson from None
    refuse_unstorable(values, where)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = [{**each, "loc": (where, *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found, body=values) from None

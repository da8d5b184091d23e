"""Receipts: send, list, look at, attach to an expense, delete, restore."""

from __future__ import annotations

import asyncio
from typing import IO, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from api.acceptance import ACCEPTED, Accept, Acceptance
from api.answers import CREATED, UNCHANGED, IfMatch, IfNoneMatch, made, many, one
from api.deps import CurrentUser, Db, PageQuery
from api.errors import describe_validation
from api.intake import Wanted
from api.merge import revised
from api.schemas.base import One
from api.schemas.receipts import (
    ReceiptMade,
    ReceiptNew,
    ReceiptPage,
    ReceiptPatch,
    ReceiptRead,
    receipt_shown,
)
from api.uploads import FORM, Upload, uploaded
from core.database import Steps, perform_async
from core.errors import Invalid
from core.settings import Settings
from services.jobs.shown import JobRead
from services.jobs.submit import NewJob, Submitted, submit
from services.receipts import storing, views
from services.receipts.errors import NotAReceipt, ReceiptTooLarge
from services.receipts.shelf import stored
from services.receipts.views import Filter
from tasks.read_receipt.contract import READ_RECEIPT, ReadHints
from tasks.take_receipt.contract import (
    BEGINNING,
    TAKE_RECEIPT,
    TakeRequest,
    media_type_of,
)

router = APIRouter(prefix="/receipts", tags=["receipts"])

Sort = Literal["-created_at", "created_at"]
_BINARY = {"type": "string", "format": "binary"}
#: The body is read by `api.uploads`, after the caller is known and not before.
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["file"],
                    "properties": {
                        "file": _BINARY,
                        "name": {"type": "string", "maxLength": 255},
                        "expense_id": {"type": "string", "format": "uuid"},
                    },
                }
            },
            **{
                media_type: {"schema": _BINARY}
                for media_type in (
                    *("image/jpeg", "image/png", "image/webp", "image/heic"),
                    *("application/pdf", "application/octet-stream"),
                )
            },
        },
    }
}


@router.post(
    "",
    status_code=201,
    response_model=One[ReceiptMade],
    responses=CREATED | {409: {"$ref": "#/components/responses/Conflict"}},
    openapi_extra=BODY,
)
async def send_receipt(
    request: Request,
    work: Accept,
    expense_id: Annotated[UUID | None, Query(description="As the field of a form.")] = None,
) -> Response:
    """Send a receipt: a JPEG, PNG, WebP, HEIC or PDF file, in a form or as the body itself.

    It is `processing` while a job of kind `take_receipt` draws it anew; the file is refused by
    that job if it is damaged, encrypted or too large to look at. `Prefer: wait=N` waits for it.
    """
    settings, owner_id = work.process.settings, work.user.id
    quota = quota_of(settings)
    async with work.process.databases.app.transaction(owner_id) as db:
        await perform_async(db, storing.check_room(owner_id, quota, 0))
    async with uploaded(request, frozenset({"expense_id", "name"})) as upload:
        new = _said(upload, expense_id)
        async with work.process.databases.app.transaction(owner_id) as db:
            await perform_async(db, storing.check_expense(owner_id, new.expense_id))
        original = await asyncio.to_thread(_stored, work, upload.content)
    return await _begin(work, new, original, quota)


def quota_of(settings: Settings) -> storing.Quota:
    return storing.Quota(settings.max_receipts, settings.max_receipts_bytes)


def _said(upload: Upload, expense_id: UUID | None) -> ReceiptNew:
    """What the form, the name of the file and the query say.

    Raises:
        Invalid: names every wrong field.
    """
    said: dict[str, Any] = {} if expense_id is None else {"expense_id": expense_id}
    if upload.name:
        said["name"] = upload.name[-255:]
    try:
        return ReceiptNew.model_validate({**said, **upload.fields})
    except ValidationError as error:
        code_and_detail = describe_validation(error.errors())
        raise Invalid(code_and_detail[1], field_errors=code_and_detail[2]) from None


def _stored(work: Acceptance, content: IO[bytes]) -> storing.NewFile:
    """Store the original; in a thread, since files and the store make one wait.

    Raises:
        NotAReceipt, ReceiptTooLarge, ArtifactsAway.
    """
    content.seek(0)
    media_type = media_type_of(content.read(BEGINNING))
    if media_type is None:
        raise NotAReceipt
    if content.seek(0, 2) > work.process.settings.max_receipt_bytes:
        raise ReceiptTooLarge
    return stored(work.process.artifacts, content, "original", 0, media_type)


async def _begin(
    work: Acceptance, new: ReceiptNew, original: storing.NewFile, quota: storing.Quota
) -> Response:
    """Write receipt and job, tell the workers, and answer with the receipt."""
    entry, owner_id = work.entry, work.user.id

    def submitted(receipt_id: UUID) -> Steps[Submitted]:
        asked = TakeRequest(receipt_id=receipt_id).model_dump(mode="json")
        job = work.new_job(TAKE_RECEIPT, asked, [f"receipt:{receipt_id}"])
        return submit(
            owner_id,
            job,
            limits=entry.limits,
            pace=entry.pace,
            admit=entry.admit,
            keep_days=entry.keep_days,
        )

    steps = storing.begin(
        owner_id,
        new.model_dump(),
        original,
        quota=quota,
        submit=submitted,
        lane=TAKE_RECEIPT.lane,
        key=work.key({**new.model_dump(mode="json"), "sha256": original.sha256}),
    )
    async with work.process.databases.app.transaction(owner_id) as db:
        begun = await perform_async(db, steps)
    headers = await work.follow(begun.submitted)
    async with work.process.databases.app.transaction(owner_id) as db:
        shown = await perform_async(db, views.read(owner_id, begun.receipt_id))
    job = None if shown.job is None else work.room.render(shown.job)
    headers |= made(f"/api/v1/receipts/{begun.receipt_id}", replayed=begun.submitted.replayed)
    return one(
        {**receipt_shown(shown), "job": job},
        version=_version_of(shown),
        status=201,
        headers=headers,
    )


def _version_of(shown: views.Shown) -> int | None:
    """For the ETag. A receipt that is not ready changes with its job, which no version says."""
    return shown.receipt.version if shown.state is views.State.READY else None


async def read_filter(
    expense_id: Annotated[UUID | None, Query(description="Of this expense.")] = None,
    attached: Annotated[
        bool | None, Query(description="Whether they belong to an expense at all.")
    ] = None,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
    sort: Sort = "-created_at",
) -> Filter:
    return Filter(sort, expense_id, attached, deleted)


@router.get("", response_model=ReceiptPage)
async def list_receipts(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    which: Annotated[Filter, Depends(read_filter)],
) -> Response:
    """The caller's receipts, newest first."""
    found, total = await perform_async(
        db, views.page(user.id, which, limit=paging.page_size, offset=paging.offset)
    )
    return many([receipt_shown(each) for each in found], total, paging)


@router.get("/{receipt_id}", response_model=One[ReceiptRead], responses=UNCHANGED)
async def read_receipt(receipt_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch) -> Response:
    """One receipt. It has an ETag once it is ready."""
    shown = await perform_async(db, views.read(user.id, receipt_id))
    version = _version_of(shown)
    unchanged = None if version is None else known.unchanged(version)
    return unchanged or one(receipt_shown(shown), version=version)


@router.patch("/{receipt_id}", response_model=One[ReceiptRead])
async def change_receipt(
    receipt_id: UUID, patch: ReceiptPatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Rename it, attach it to an expense, or detach it with `"expense_id": null`."""

    def revise(receipt: views.ReceiptView) -> dict[str, Any]:
        new: ReceiptNew = revised(ReceiptNew, receipt.written(), patch)
        return new.model_dump()

    changed = await perform_async(db, storing.change(user.id, receipt_id, revise, versions))
    (shown,) = await perform_async(db, views.completed([changed]))
    return one(receipt_shown(shown), version=_version_of(shown))


@router.delete("/{receipt_id}", status_code=204)
async def delete_receipt(receipt_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete a receipt; for 30 days (by default) it can be restored, then its bytes go too."""
    await perform_async(db, views.RECORDS.delete(user.id, receipt_id, versions))


@router.post(
    "/{receipt_id}/read",
    status_code=202,
    response_model=One[JobRead],
    responses=ACCEPTED | {409: {"$ref": "#/components/responses/Conflict"}},
)
async def read_print(receipt_id: UUID, work: Accept, hints: ReadHints | None = None) -> Response:
    """Read total, currency, date and vendor off a receipt that is ready.

    The job's result is what each seems to be, with its confidence and the line that it came
    from; the receipt shows the newest. Where reading is not installed, the job fails with
    `OCR_NOT_INSTALLED`.
    """
    asked = {**(hints or ReadHints()).model_dump(mode="json"), "receipt_id": str(receipt_id)}
    owner_id = work.user.id

    def ready(new: NewJob) -> Steps[NewJob]:
        yield from views.file_of(owner_id, receipt_id, "file")
        return new

    tags = [f"receipt:{receipt_id}"]
    return await work.accept_wanted(READ_RECEIPT, Wanted(asked, tags, fill=ready))


@router.post("/{receipt_id}/restore", response_model=One[ReceiptRead])
async def restore_receipt(receipt_id: UUID, user: CurrentUser, db: Db) -> Response:
    """Bring a deleted receipt back as it was. Idempotent."""
    restored = await perform_async(db, views.RECORDS.restore(user.id, receipt_id))
    (shown,) = await perform_async(db, views.completed([restored]))
    return one(receipt_shown(shown), version=_version_of(shown))

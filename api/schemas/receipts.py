"""Receipts, as they come in and go out."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from api.merge import PatchOf
from api.schemas.base import Page
from api.schemas.entries import EntryRead, entry_shown
from services.artifacts.names import clean_name
from services.jobs.shown import JobRead
from services.receipts.views import Shown, State
from tasks.plan_route.contract.values import Model
from tasks.take_receipt.contract import Suggested

#: What lists and answers call a file that came without a name.
NAMELESS = "receipt"

Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(clean_name)]


class ReceiptNew(Model):
    """What its owner says of a receipt."""

    name: Name = Field(NAMELESS, description="At first what the file was called.")
    expense_id: UUID | None = Field(None, description="The expense that it proves.")


ReceiptPatch = Annotated[dict[str, Any], PatchOf(ReceiptNew)]


class ReceiptLinks(Model):
    """Where its parts are; relative to the server."""

    self: str
    job: str
    file: str | None = Field(description="`null` unless it is ready; so are the others.")
    thumbnail: str | None
    page: str | None = Field(description="A picture of the first page.")


class ReceiptRead(EntryRead, ReceiptNew):
    """A receipt. Its file is a picture or PDF made anew, without what the original told."""

    status: Literal["processing", "ready", "failed"]
    error: dict[str, Any] | None = Field(description="Why it failed: the error body of its job.")
    media_type: str | None = Field(description="Of the file: `image/jpeg` or `application/pdf`.")
    size_bytes: int | None
    sha256: str | None
    pages: int | None
    suggested: Suggested | None = Field(
        description="What the original said of time and place. Nothing of it is booked."
    )
    reading: dict[str, Any] | None = Field(
        description="What the newest `read_receipt` job read on it. Nothing of it is booked."
    )
    job_id: UUID
    links: ReceiptLinks


class ReceiptMade(ReceiptRead):
    """A receipt and the job that takes it."""

    job: JobRead | None = Field(description="`null` once it is ready.")


class ReceiptPage(Page[ReceiptRead]):
    """One page of receipts."""


def receipt_shown(shown: Shown) -> dict[str, Any]:
    """The fields of `ReceiptRead`."""
    receipt, file, job = shown.receipt, shown.file, shown.job
    here = f"/api/v1/receipts/{receipt.id}"
    failed = shown.state is State.FAILED
    links: dict[str, str | None] = dict.fromkeys(("file", "thumbnail", "page"))
    if file is not None:
        links = {"file": f"{here}/file", "thumbnail": f"{here}/thumbnail"}
        links["page"] = f"{here}/pages/1"
    return {
        **entry_shown(receipt),
        "status": shown.state.value,
        "error": job.error if failed and job is not None else None,
        "media_type": file and file.media_type,
        "size_bytes": file and file.size_bytes,
        "sha256": file and file.sha256,
        "pages": receipt.pages,
        "suggested": receipt.suggested,
        "reading": receipt.reading,
        "job_id": receipt.job_id,
        "links": {"self": here, "job": f"/api/v1/jobs/{receipt.job_id}", **links},
    }

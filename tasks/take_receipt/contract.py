"""The kind `take_receipt`: what somebody sent becomes a receipt. Only our own code submits it."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from core.kind import Kind, Lane

#: How the files begin that are taken, and no others: the standards' own marks.
_BEGINNINGS = (
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    # ISO 14496-12: a file type box whose major brand is one of HEIF's with HEVC inside
    ("image/heic", re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)),
    ("application/pdf", re.compile(rb"%PDF-\d\.\d")),
)
#: So many bytes decide. Bytes.
BEGINNING = 16


def media_type_of(beginning: bytes) -> str | None:
    """What a file is by its first bytes, whatever anybody calls it; None: nothing we take."""
    for media_type, mark in _BEGINNINGS:
        if mark.match(beginning):
            return media_type
    return None


class Place(BaseModel):
    """WGS 84, degrees."""

    lat: float
    lon: float


class Suggested(BaseModel):
    """What the file said of its making, before that was dropped. Nothing of it is booked."""

    taken_at: datetime | None = Field(
        None, description="When the picture was taken: local time, without a zone."
    )
    place: Place | None = Field(None, description="Where it was taken.")


class TakeRequest(BaseModel):
    """Which receipt."""

    model_config = ConfigDict(extra="forbid")

    receipt_id: UUID


class MadeFile(BaseModel):
    """A file that was made of the original; its bytes are in the store already."""

    role: str
    number: int
    media_type: str
    size_bytes: int
    sha256: str
    location: str


class TakenReceipt(BaseModel):
    """What became of it."""

    receipt_id: UUID
    media_type: str
    size_bytes: int
    pages: int
    suggested: Suggested
    #: For whoever writes the rows; where bytes lie is nobody else's business.
    files: list[MadeFile] = Field(default_factory=list, exclude=True)


TAKE_RECEIPT = Kind(
    "take_receipt",
    TakeRequest,
    TakenReceipt,
    lane=Lane.COMPUTE,
    # what the process that looks at it may take, and a slow store on both sides
    time_limit_s=180.0,
)

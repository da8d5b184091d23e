"""The kind `read_receipt`: what a receipt seems to say. Suggestions, never bookings."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.kind import Kind, Lane

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class ReadHints(BaseModel):
    """What the reader may take for granted."""

    model_config = ConfigDict(extra="forbid")

    country: Country | None = Field(
        None,
        description="Where it was spent, ISO 3166: it says whether days or months come first.",
        examples=["AU"],
    )


class ReadRequest(ReadHints):
    """Which receipt."""

    receipt_id: UUID


class Suggestion(BaseModel):
    """What a part of the receipt seems to say."""

    value: str
    confidence: float = Field(ge=0, le=1, description="Of reading and understanding it together.")
    text: str = Field(description="The line that it came from, as it was read.")


class Reading(BaseModel):
    """What was understood; `null`: nothing."""

    receipt_id: UUID
    engine: str
    total: Suggestion | None = Field(description="A decimal number.")
    currency: Suggestion | None = Field(description="ISO 4217.")
    date: Suggestion | None = Field(description="ISO 8601.")
    vendor: Suggestion | None
    pages: int = Field(description="How many were read; of a PDF the first three at most.")


READ_RECEIPT = Kind(
    "read_receipt",
    ReadRequest,
    Reading,
    lane=Lane.COMPUTE,
    # three pages of print took 10 s on a busy core
    time_limit_s=180.0,
)

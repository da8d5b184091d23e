"""The envelopes around every answer, and what all request bodies have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Body(BaseModel):
    """A request body: unknown fields are refused, and so are numbers that JSON cannot say."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class One(BaseModel, Generic[T]):
    """One resource."""

    data: T


class Page(BaseModel, Generic[T]):
    """One page of a collection."""

    data: list[T]
    total: int = Field(description="How many there are on all pages.")
    page: int = 1
    page_size: int = 50


@dataclass(frozen=True)
class Paging:
    """Which page of a collection is asked for."""

    page: int
    page_size: int

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.page_size


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable URN of this kind of error.")
    title: str
    status: int
    detail: str = Field(description="One sentence for a person.")
    error_code: str = Field(description="Stable code for programs, UPPER_SNAKE.")
    field_errors: dict[str, list[str]] | None = Field(
        default=None, description="Only on 422: every wrong field, e.g. `stops.3.lat`."
    )
    request_id: str

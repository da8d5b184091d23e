"""Durations and distances between places, as frontends see them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class MatrixWarning(BaseModel):
    """Something to know about the figures."""

    code: str
    detail: str


class MatrixRead(BaseModel):
    """Estimates between all places; row from, column to, in the order of the request."""

    durations_s: list[list[int]] = Field(description="Seconds by car; diagonal 0.")
    distances_m: list[list[int]] = Field(description="Metres; diagonal 0.")
    source: Literal["highway_graph", "great_circle"] = Field(
        description="The least exact source of any figure."
    )
    error_p90: str | None = Field(
        description='Nine of ten distances err by less than this share: "0.08".'
    )
    attribution: str | None = Field(description="Whom to credit where the figures are shown.")
    warnings: list[MatrixWarning]

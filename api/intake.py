"""How a body becomes a job, kind by kind: for the route of the kind, and for batches of any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from core.kind import Kind
from services.jobs.submit import Fill

BodyT = TypeVar("BodyT")


@dataclass(frozen=True)
class Wanted:
    """What a valid body asks for.

    Attributes:
        content: the input of the job as JSON values, or what `fill` completes.
        supersedes, fill: see `NewJob` and `Fill`.
    """

    content: dict[str, Any]
    tags: list[str]
    supersedes: str | None = None
    fill: Fill | None = None


@dataclass(frozen=True)
class Intake(Generic[BodyT]):
    """The way into a kind of job. Made once by the module of its route.

    Attributes:
        body: what may be posted.
        read: from the caller's id and a valid body to what is wanted.
    """

    kind: Kind[Any, Any]
    body: TypeAdapter[BodyT]
    read: Callable[[UUID, BodyT], Wanted]

    def __post_init__(self) -> None:
        INTAKES[self.kind.name] = self


#: Every kind that may be posted, by name.
INTAKES: dict[str, Intake[Any]] = {}

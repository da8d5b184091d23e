"""What the clients of a campaign say they were promised and have seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID


@dataclass
class Story:
    """One follower of one job, over all of its connections."""

    owner_id: UUID
    job_id: UUID
    numbers: list[int] = field(default_factory=list)
    last_type: str = ""
    connections: int = 0


@dataclass
class Wide:
    """One follower of all jobs of a user, over all of its connections.

    Attributes:
        seen: job and number of each event, in the order of their arrival.
        ended: jobs whose terminal event came.
        asked: when the submit of each accepted job began, monotonic seconds.
        placed_at: when the stream began, anew where it was cut before its first event: only
            jobs asked for later must be on it from their first event.
    """

    owner_id: UUID
    seen: list[tuple[UUID, int]] = field(default_factory=list)
    ended: set[UUID] = field(default_factory=set)
    asked: dict[UUID, float] = field(default_factory=dict)
    placed_at: float = 0.0
    connections: int = 0

    @property
    def promised(self) -> set[UUID]:
        return {job_id for job_id, began in self.asked.items() if began > self.placed_at}


@dataclass
class Testimony:
    """All that the crowd remembers; the oracle compares it with the database."""

    __test__ = False

    #: Every job that was answered with 202, and whose it is.
    accepted: dict[UUID, UUID] = field(default_factory=dict)
    #: Which jobs the answers to one idempotency key named.
    keys: dict[str, set[UUID]] = field(default_factory=dict)
    stories: list[Story] = field(default_factory=list)
    wides: list[Wide] = field(default_factory=list)
    #: Things of other people that were shown to somebody.
    foreign: list[str] = field(default_factory=list)
    #: Answers that must not be: errors of ours, cut frames, wrong files, silence to the end.
    wrong: list[str] = field(default_factory=list)
    #: How often each status, or each way of getting no answer, was met.
    answers: Counter[str] = field(default_factory=Counter)
    files: int = 0

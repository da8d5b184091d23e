"""Dead letters again: each is replayed once, and then names the job that took its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from core.kind import Kind, Lane
from services.jobs.errors import JobNotFound, NotADeadLetter
from services.jobs.oversight import IS_DEAD_LETTER, Search, find
from services.jobs.submit import retry

#: Dead letters that one request replays at most.
MOST = 100


@dataclass(frozen=True)
class Replayed:
    """A dead letter and its successor. `repeated`: an earlier request had replayed it."""

    job_id: UUID
    successor_id: UUID
    owner_id: UUID
    lane: Lane
    repeated: bool = False


# two who replay the same at once: the second waits here, and finds what the first has made
_HOLD = text("SELECT owner_id, lane, kind FROM jobs WHERE id = :id FOR UPDATE")
_SUCCESSOR = text("SELECT successor_id FROM replays WHERE job_id = :id")
_IS_DEAD = text(f"""
SELECT FROM jobs j JOIN job_payloads p ON p.job_id = j.id WHERE j.id = :id AND {IS_DEAD_LETTER}
""")
_NAME = text("INSERT INTO replays (job_id, successor_id) VALUES (:id, :successor)")


def replay(job_id: UUID, kinds: dict[str, Kind[Any, Any]]) -> Steps[Replayed]:
    """Submit a dead letter's input again for its owner, as role `engine`; the caller publishes.

    Limits of the owner do not count: it was not they who failed.

    Raises:
        JobNotFound, NotADeadLetter, KindGone.
    """
    held = (yield bind(_HOLD, id=job_id)).first()
    if held is None:
        raise JobNotFound
    lane = Lane(held.lane)
    successor = (yield bind(_SUCCESSOR, id=job_id)).scalar()
    if successor is not None:
        return Replayed(job_id, successor, held.owner_id, lane, repeated=True)
    if (yield bind(_IS_DEAD, id=job_id)).first() is None:
        raise NotADeadLetter
    submitted = yield from retry(held.owner_id, job_id, kinds)
    yield bind(_NAME, id=job_id, successor=submitted.job_id)
    return Replayed(job_id, submitted.job_id, held.owner_id, lane)


def replay_all(
    search: Search, kinds: dict[str, Kind[Any, Any]], *, limit: int = MOST
) -> Steps[tuple[list[Replayed], int]]:
    """Replay the newest dead letters among those looked for that have no successor yet.

    Returns:
        What was replayed, and how many are left, counted as `find` counts.
    """
    wanted = replace(search, dead_letters=True, replayed=False)
    found, total = yield from find(wanted, limit=min(limit, MOST), offset=0)
    done = list[Replayed]()
    # in the order of ids, so that two requests lock the same rows in the same order
    for job in sorted((job for job in found if job.kind in kinds), key=lambda job: job.id):
        replayed = yield from replay(job.id, kinds)
        done.append(replayed)
    return done, total - len(done)

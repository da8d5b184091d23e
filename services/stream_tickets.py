"""Tickets that open a stream where no header can be set: an EventSource has none."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from services.jobs.errors import JobNotFound

#: A ticket is first used within so long. Seconds.
FIRST_USE_S = 60.0
#: A ticket in use lasts so long after its stream was last open. Seconds.
IDLE_S = 600.0


@dataclass(frozen=True)
class Ticket:
    """What the client is given, once; only its hash is kept."""

    text: str
    expires_at: datetime


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()


_ISSUE = text("""
INSERT INTO stream_tickets (hash, owner_id, job_id, expires_at)
SELECT :hash, :owner, CAST(:job AS uuid), now() + make_interval(secs => :first_s)
WHERE CAST(:job AS uuid) IS NULL OR EXISTS (
    SELECT FROM jobs WHERE id = :job AND owner_id = :owner)
RETURNING expires_at
""")


def issue(owner_id: UUID, job_id: UUID | None) -> Steps[Ticket]:
    """A ticket for the stream of one job, or of all jobs of its owner.

    Raises:
        JobNotFound
    """
    ticket = secrets.token_urlsafe(32)
    bound = bind(_ISSUE, hash=_hash(ticket), owner=owner_id, job=job_id, first_s=FIRST_USE_S)
    row = (yield bound).first()
    if row is None:
        raise JobNotFound
    return Ticket(ticket, row.expires_at)


@dataclass(frozen=True)
class Holder:
    """Whom a ticket speaks for."""

    owner_id: UUID
    hash: bytes


# The stream of a job that has ended still answers, so that its EventSource is told to stop.
_USE = text("""
UPDATE stream_tickets SET expires_at = now() + make_interval(secs => :idle_s)
WHERE hash = :hash AND expires_at > now() AND job_id IS NOT DISTINCT FROM CAST(:job AS uuid)
RETURNING owner_id
""")


def use(ticket: str, job_id: UUID | None) -> Steps[Holder | None]:
    """Open or reopen the stream of a job, or of all jobs, as role `engine`.

    Returns:
        None where the ticket is none, its time is over, or it is for another stream.
    """
    key = _hash(ticket)
    row = (yield bind(_USE, hash=key, job=job_id, idle_s=IDLE_S)).first()
    return None if row is None else Holder(row.owner_id, key)


_KEEP = text("""
UPDATE stream_tickets SET expires_at = now() + make_interval(secs => :idle_s)
WHERE hash = ANY(:hashes)
""")


def keep(hashes: Collection[bytes]) -> Steps[None]:
    """The streams of these tickets are open: their idle time begins anew."""
    yield bind(_KEEP, hashes=list(hashes), idle_s=IDLE_S)

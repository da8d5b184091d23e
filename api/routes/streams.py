"""Streams: the events of one job, or of all, and tickets for clients that set no headers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from api.deps import CurrentUser, Db, Process, bearer_scheme, current_user
from api.engine_room import Room
from api.following import Following
from api.frames import Follower, StreamEnded
from api.schemas.base import Body, One
from api.tail import Tail
from api.visit import visit_of
from core.database import perform_async
from core.errors import Invalid, Unauthenticated
from models.job import TERMINAL
from services import stream_tickets
from services.jobs import feed, views
from services.jobs.shown import UtcTime
from services.stream_tickets import Holder

router = APIRouter(tags=["jobs"])

#: When clients come back to a stream that ended early, or all would in one moment. Milliseconds.
COME_BACK_MS = (500, 3000)

Ticket = Annotated[
    str | None,
    Query(
        max_length=100,
        description="A stream ticket, where the client cannot send `Authorization`.",
    ),
]


@dataclass(frozen=True)
class Listener:
    """Who opens a stream: by token, or by a ticket that is then kept alive."""

    id: UUID
    holder: Holder | None = None


async def listener(
    request: Request,
    room: Room,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)],
    ticket: Ticket = None,
) -> Listener:
    """The caller, by header or by ticket."""
    if bearer is not None or ticket is None:
        caller = await current_user(request, bearer)
        return Listener(caller.id)
    job_id = request.path_params.get("job_id")
    try:
        wanted = None if job_id is None else UUID(job_id)
    except ValueError:
        raise Unauthenticated from None
    holder = await room.tickets.holder(ticket, wanted)
    structlog.contextvars.bind_contextvars(user_id=str(holder.owner_id))
    return Listener(holder.owner_id, holder)


Listening = Annotated[Listener, Depends(listener)]
LastEventId = Annotated[
    str | None, Header(description="Id of the last event seen (sent by EventSource).")
]
StartingAfter = Annotated[
    str | None, Query(description="The same, for clients that set no headers.")
]


@dataclass(frozen=True)
class Subscription:
    """A checked wish to follow jobs: what they are now, and where their next events arrive."""

    request: Request
    room: Room
    jobs: list[views.JobView]
    source: Following
    follower: Follower
    held: ExitStack

    def snapshot(self, job: views.JobView, **more: Any) -> ServerSentEvent:
        return ServerSentEvent(event="job.snapshot", data=self.room.render(job), **more)

    def go_on(self) -> None:
        """Let the door serve the events, once what was yielded has been sent."""
        tail = Tail(self.source, self.follower, self.held.pop_all())
        visit_of(self.request.scope).rest = tail


def _number(value: str | None, field: str) -> int | None:
    if value is None or value == "":
        return None
    if not (value.isascii() and value.isdecimal()) or len(value) > 9:
        raise Invalid(field_errors={field: ["must be the decimal number of an event"]})
    return int(value)


async def subscribe(
    request: Request,
    job_id: UUID,
    user: Listening,
    room: Room,
    last_event_id: LastEventId = None,
    starting_after: StartingAfter = None,
) -> AsyncIterator[Subscription]:
    """Check access and position before the stream begins; afterwards 200 has been sent."""
    after = _number(last_event_id, "Last-Event-ID")
    if after is None:
        after = _number(starting_after, "starting_after") or 0
    job = await room.lookups.job(user.id, job_id)
    if job.status in TERMINAL and after >= job.seq:
        raise StreamEnded
    # a number from the future (a restored database): the log is followed from its end
    after = min(after, job.seq)
    # given back by the door at the end of the stream, and here if it never begins
    with ExitStack() as held:
        _hold(held, room, user)
        follower = held.enter_context(room.hub.following(job.id, after))
        yield Subscription(request, room, [job], room.hub, follower, held)


def _hold(held: ExitStack, room: Room, user: Listener) -> None:
    """Count the stream, and keep its ticket alive.

    Raises:
        TooManyStreams
    """
    held.enter_context(room.hub.stream_of(user.id))
    if user.holder is not None:
        held.enter_context(room.tickets.holding(user.holder))


def _come_back() -> int:
    # spread over clients from the start: a server that is killed says no more
    return random.randint(*COME_BACK_MS)  # noqa: S311


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={204: {"description": "The terminal event was seen; nothing follows."}},
)
async def stream_job(
    wanted: Annotated[Subscription, Depends(subscribe)],
) -> AsyncIterator[ServerSentEvent]:
    """The job's events: a snapshot, then each event after the given one, to the terminal one."""
    for job in wanted.jobs:
        yield wanted.snapshot(job, retry=_come_back())
    wanted.go_on()


async def subscribe_to_all(
    request: Request,
    user: Listening,
    process: Process,
    room: Room,
    tag: Annotated[str | None, Query(max_length=100)] = None,
    last_event_id: LastEventId = None,
    starting_after: StartingAfter = None,
) -> AsyncIterator[Subscription]:
    """Check the position, or find the present one, before the stream begins."""
    given = last_event_id or starting_after
    after = feed.Cursor.read(given) if given else None
    if given and after is None:
        name = "Last-Event-ID" if last_event_id else "starting_after"
        raise Invalid(field_errors={name: ["must be the id of an event of this stream"]})
    with ExitStack() as held:
        _hold(held, room, user)
        jobs: list[views.JobView] = []
        if after is None:
            async with process.databases.engine.transaction() as db:
                # the place first: what happens while the jobs are read comes as an event, too
                after = await perform_async(db, feed.end_of_feed())
                jobs = await perform_async(db, views.unfinished(user.id, tag))
        reader = held.enter_context(room.hub.feed.following(user.id, after, tag=tag))
        yield Subscription(request, room, jobs, room.hub.feed, reader, held)


@router.get("/events", response_class=EventSourceResponse)
async def stream_all_jobs(
    wanted: Annotated[Subscription, Depends(subscribe_to_all)],
) -> AsyncIterator[ServerSentEvent]:
    """The events of all of the caller's jobs, or of those with a tag.

    Without a position: a snapshot of each unfinished job, then all that happens from now on.
    Ids are opaque and resume this stream only. Events of one job come in their order.
    """
    yield ServerSentEvent(comment="follow", retry=_come_back())
    for job in wanted.jobs:
        yield wanted.snapshot(job)
    wanted.go_on()


class StreamTicketRequest(Body):
    """Which stream the ticket opens."""

    job_id: UUID | None = Field(default=None, description="Without it: the stream of all jobs.")


class StreamTicketRead(BaseModel):
    """A ticket; it is shown this once."""

    ticket: str
    expires_at: UtcTime = Field(description="Until when it must first be used.")


@router.post(
    "/stream-tickets",
    status_code=201,
    responses={
        404: {"$ref": "#/components/responses/NotFound", "description": "There is no such job."}
    },
)
async def create_stream_ticket(
    body: StreamTicketRequest, user: CurrentUser, db: Db, response: Response
) -> One[StreamTicketRead]:
    """A ticket for an EventSource, which can send no header: `?ticket=` on the stream's address.

    First used within 60 seconds; then it reconnects that one stream until ten minutes have
    passed without it.
    """
    issued = await perform_async(db, stream_tickets.issue(user.id, body.job_id))
    response.headers["Cache-Control"] = "no-store"
    return One(data=StreamTicketRead(ticket=issued.text, expires_at=issued.expires_at))

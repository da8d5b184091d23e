"""The door's side of the job layer: the hub, the publisher, and how an endpoint accepts work."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, cast

import structlog
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel

from api.deps import CurrentUser, Databases, Process, limit_submits
from api.feed import Feed
from api.lookups import Lookups
from api.schemas.jobs import JobRead
from api.signals import end_streams_on_signal
from api.stream import Hub
from api.terms import Terms, read_terms
from api.tickets import OpenTickets
from core.database import Database, Role, Steps, perform_async
from core.kind import Kind
from core.settings import Settings
from services.idempotency import IdempotencyKey
from services.jobs import views
from services.jobs.admission import Caps
from services.jobs.submit import Fill, Limits, NewJob, Submitted, submit
from services.publisher import CeleryBroker, Publisher

#: W3C Trace Context, section 3.2.
_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")


@dataclass(frozen=True)
class EngineRoom:
    """What requests share to reach the workers. Made once per process."""

    hub: Hub
    feed: Feed
    tickets: OpenTickets
    lookups: Lookups
    publisher: Publisher

    def render(self, view: views.JobView) -> dict[str, Any]:
        """The job object as JSON values."""
        return JobRead.of(view, self.hub.pace).model_dump(mode="json")


@asynccontextmanager
async def engine_room(
    app: FastAPI, settings: Settings, databases: Databases
) -> AsyncIterator[EngineRoom]:
    """Open hub and publisher for the lifetime of the process."""
    sending = Database(settings, Role.ENGINE, pool_size=1)
    publisher = Publisher(sending, lambda: CeleryBroker(settings.redis_url), Caps.of(settings))

    def render(view: views.JobView) -> dict[str, Any]:
        return room.render(view)

    hub = Hub(databases.engine, settings, render)
    tickets = OpenTickets(databases.engine)
    room = EngineRoom(hub, hub.feed, tickets, Lookups(databases.engine), publisher)
    app.state.engine_room = room
    hub.start()
    tickets.start()
    restore = end_streams_on_signal(hub)
    try:
        yield room
    finally:
        restore()
        await hub.close()
        await tickets.close()
        await asyncio.to_thread(publisher.close)
        sending.dispose()


async def room_of(request: Request) -> EngineRoom:
    return cast(EngineRoom, request.app.state.engine_room)


Room = Annotated[EngineRoom, Depends(room_of)]


@dataclass(frozen=True)
class Acceptance:
    """Accepts work for one request: commits, tells the workers, answers 202."""

    request: Request
    process: Process
    room: EngineRoom
    user: CurrentUser
    terms: Terms

    async def accept(
        self,
        kind: Kind[Any, Any],
        body: BaseModel,
        *,
        tags: list[str] | None = None,
        fill: Fill | None = None,
    ) -> Response:
        """Submit a job of `kind` and answer with it.

        Args:
            body: the request, or what `fill` makes one of; a field that is not sent is then
                not the same as one that is.
            fill: see `Fill`.

        Raises:
            TooManyJobs, KeyReused, KeyInFlight.
        """
        content = body.model_dump(mode="json", exclude_unset=fill is not None)
        new = NewJob(
            kind,
            content,
            tags or [],
            deadline_s=self.terms.deadline_s,
            start_within_s=self.terms.start_within_s,
            priority=self.terms.priority,
            trace=self.trace,
        )
        return await self.carry_out(
            submit(
                self.user.id,
                new,
                limits=self.limits,
                key=self.key(content),
                pace=self.room.hub.pace,
                admit=self.room.publisher.able,
                fill=fill,
            )
        )

    @property
    def trace(self) -> str:
        """The caller's trace context, or a new one: it ties the request's log to the run's."""
        given = self.request.headers.get("traceparent", "")
        trace = given if _TRACEPARENT.match(given) else None
        trace = trace or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        structlog.contextvars.bind_contextvars(trace_id=trace.split("-")[1])
        return trace

    @property
    def limits(self) -> Limits:
        return Limits.of(self.process.settings)

    def key(self, body: Any) -> IdempotencyKey | None:
        """The caller's key with the fingerprint of this request, if one was sent."""
        if self.terms.key is None:
            return None
        request = self.request
        return IdempotencyKey.of(self.terms.key, request.method, request.url.path, body)

    async def carry_out(self, steps: Steps[Submitted]) -> Response:
        """Commit, then publish, then wait if asked to; nothing is published before the commit."""
        owner_id, databases = self.user.id, self.process.databases
        async with databases.app.transaction(owner_id) as session:
            submitted = await perform_async(session, steps)
        if submitted.message is not None:
            self.room.publisher.admitted(submitted.message)
        elif not submitted.replayed:
            self.room.publisher.job_waits(submitted.lane)
        self.room.feed.mark([owner_id])
        view, headers = submitted.view, dict[str, str]()
        if submitted.replayed:
            headers["Idempotent-Replayed"] = "true"
        if self.terms.wait_s:
            await self.room.hub.ended(submitted.job_id, self.terms.wait_s)
            headers["Preference-Applied"] = f"wait={self.terms.wait_s}"
            view = None
        if view is None:
            async with databases.app.transaction(owner_id) as session:
                view = await perform_async(session, views.read(owner_id, submitted.job_id))
        return job_answer(self.room, view, status=202, headers=headers)


async def acceptance(
    request: Request,
    process: Process,
    room: Room,
    user: CurrentUser,
    terms: Annotated[Terms, Depends(read_terms)],
    _counted: Annotated[None, Depends(limit_submits)],
) -> Acceptance:
    return Acceptance(request, process, room, user, terms)


#: For an endpoint that makes work: `return await work.accept(KIND, body)`.
Accept = Annotated[Acceptance, Depends(acceptance)]

#: What `responses=` says of an endpoint that makes work.
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Accepted; poll or stream the job.",
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "The job."},
            "Retry-After": {"schema": {"type": "integer"}, "description": "Poll after, seconds."},
            "Idempotent-Replayed": {"schema": {"type": "string"}, "description": "`true`"},
            "Preference-Applied": {"schema": {"type": "string"}, "description": "`wait=N`"},
        },
    }
}


def etag_of(view: views.JobView) -> str:
    """Status and number of the newest event: neither estimate nor position."""
    return f'"{view.status.value}-{view.seq}"'


def job_answer(
    room: EngineRoom, view: views.JobView, *, status: int = 200, headers: dict[str, str]
) -> Response:
    """A job as an answer, with the headers that say how to go on."""
    headers = {"ETag": etag_of(view), **headers}
    if status == 202:
        headers["Location"] = f"/api/v1/jobs/{view.id}"
    if view.finished_at is None:
        headers["Retry-After"] = "1"
    body = json.dumps({"data": room.render(view)}, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode(), status, headers, media_type="application/json")

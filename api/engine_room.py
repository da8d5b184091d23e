"""The door's side of the job layer: the hub, the publisher, and how an endpoint accepts work."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Annotated, Any, cast

import structlog
from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel

from api.deps import CurrentUser, Databases, Process, limit_submits
from api.feed import Feed
from api.lookups import Lookups
from api.metrics import Gauge
from api.schemas.jobs import JobRead
from api.stream import Hub
from api.tickets import OpenTickets
from core.database import Database, Role, Steps, perform_async
from core.kind import Kind, Priority
from core.settings import Settings
from core.tracing import current_traceparent
from services.idempotency import IdempotencyKey
from services.jobs import views
from services.jobs.admission import Caps
from services.jobs.submit import Fill, Limits, NewJob, Submitted, submit
from services.publisher import CeleryBroker, Publisher

#: W3C Trace Context, section 3.2.
_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
#: Longest that `Prefer: wait` holds an answer. Seconds.
WAIT_CAP_S = 25
#: Longest deadline or start-by time that a header may ask for. Seconds.
WEEK_S = 7 * 86400


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

    feed = Feed(databases.engine, render, settings.stream_lifetime_s)
    hub = Hub(databases.engine, settings, render, feed)
    tickets = OpenTickets(databases.engine)
    room = EngineRoom(hub, feed, tickets, Lookups(databases.engine), publisher)
    app.state.engine_room = room
    app.state.metrics.own = _gauges(room)
    feed.start()
    hub.start()
    tickets.start()
    restore = _end_streams_on_signal(hub)
    try:
        yield room
    finally:
        restore()
        await hub.close()
        await feed.close()
        await tickets.close()
        await asyncio.to_thread(publisher.close)
        sending.dispose()


def _gauges(room: EngineRoom) -> list[Gauge]:
    """What this process alone can say."""
    return [
        Gauge(
            "wheels_streams",
            "Open event streams, by kind.",
            "kind",
            lambda: {"job": room.hub.open_streams, "all_jobs": room.feed.open_streams},
        ),
        Gauge(
            "wheels_publisher_able",
            "1 while a message would go to the broker at once.",
            None,
            lambda: {"": room.publisher.able},
        ),
        Gauge(
            "wheels_publisher_pending",
            "Messages and hints that wait to be sent.",
            None,
            lambda: {"": room.publisher.pending},
        ),
    ]


def _end_streams_on_signal(hub: Hub) -> Callable[[], None]:
    """End streams when the server is told to stop.

    Uvicorn waits for open responses before it runs the end of the lifespan, and an SSE
    response is open until somebody ends it; so we listen to the signal as well.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.end_streams)
        if callable(before[number]):
            before[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, end)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


async def room_of(request: Request) -> EngineRoom:
    return cast(EngineRoom, request.app.state.engine_room)


Room = Annotated[EngineRoom, Depends(room_of)]


def _wait_of(lines: list[str]) -> int | None:
    """Seconds of the first `wait` preference (RFC 7240 section 4.3), capped; None without one."""
    for preference in ",".join(lines).split(","):
        # what follows a semicolon are parameters of the preference, not further ones
        name, _, value = preference.partition(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isdecimal():
            # int() refuses thousands of digits
            return WAIT_CAP_S if len(seconds) > 9 else min(int(seconds), WAIT_CAP_S) or None
    return None


@dataclass(frozen=True)
class Terms:
    """What the headers of a submit say about the job and its answer."""

    wait_s: int | None
    deadline_s: float | None
    start_within_s: float | None
    priority: Priority | None
    key: str | None


KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Same key and body: the first answer again. Kept 24 hours.",
    ),
]
PreferHeader = Annotated[
    list[str] | None,  # a list header may come in several lines
    Header(description="`wait=N` holds the answer up to N seconds (1 to 25) for the job's end."),
]
_SECONDS = {"gt": 0, "le": WEEK_S, "allow_inf_nan": False}


async def read_terms(
    key: KeyHeader = None,
    prefer: PreferHeader = None,
    cancel_after: Annotated[
        float | None,
        Header(alias="Cancel-After", description="Deadline, seconds from now.", **_SECONDS),
    ] = None,
    queue_ttl: Annotated[
        float | None,
        Header(alias="X-Queue-TTL", description="Start within so many seconds.", **_SECONDS),
    ] = None,
    priority: Annotated[
        Priority | None,
        Header(
            alias="X-Queue-Priority",
            description="`batch` lets everybody's interactive jobs go first, for a minute at most.",
        ),
    ] = None,
) -> Terms:
    """The headers that any submit understands."""
    return Terms(_wait_of(prefer or []), cancel_after, queue_ttl, priority, key)


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
        """Ties the request's log and span to the run's: that of the running span where requests
        are traced, else the caller's, else a new one."""
        given = current_traceparent() or self.request.headers.get("traceparent", "")
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

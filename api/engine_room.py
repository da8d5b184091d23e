"""The door's side of the job layer: the hub, the publisher, and what they need of each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Depends, FastAPI, Request

from api.deps import Databases
from api.feed import Feed
from api.lookups import Lookups
from api.metrics import Gauge
from api.signals import end_streams_on_signal
from api.stream import Hub
from api.tickets import OpenTickets
from core.database import Database, Role
from core.settings import Settings
from services.jobs import views
from services.jobs.admission import Caps
from services.jobs.shown import JobRead
from services.publisher import CeleryBroker, Publisher


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
    app.state.metrics.own = _gauges(room)
    hub.start()
    tickets.start()
    restore = end_streams_on_signal(hub)
    try:
        yield room
    finally:
        restore()
        await hub.close()
        await tickets.close()
        await room.lookups.close()
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


def room_in(request: Request) -> EngineRoom:
    """See `api.deps.services_in`."""
    return cast(EngineRoom, request.app.state.engine_room)


async def room_of(request: Request) -> EngineRoom:
    return room_in(request)


Room = Annotated[EngineRoom, Depends(room_of)]

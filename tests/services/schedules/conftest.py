"""A desk with schedules that wait for a clock of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from core.kind import KINDS, Kind, Lane
from core.settings import Settings
from services.jobs.submit import NO_LIMITS, Limits
from services.schedules import edit, firing, views
from services.schedules.firing import Fired
from services.schedules.views import RunView, ScheduleView
from tests.faults.kinds import Nap, Rest
from tests.lab import Lab
from workers.scheduling import Scheduler

CHORE = Kind("chore", Nap, Rest, lane=Lane.IO, schedulable=True)
#: What no user may schedule.
SECRET = Kind("secret_chore", Nap, Rest, lane=Lane.IO)
START = datetime(2026, 5, 1, 8, 30, tzinfo=UTC)


class Desk:
    """One owner's schedules, and the clock on the wall."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.owner, self.now = lab, lab.make_user(), START
        self.stop = threading.Event()
        self._schedulers: list[Scheduler] = []

    def make(self, cron: str = "0 9 * * *", **more: Any) -> UUID:
        columns = {
            "title": "",
            "kind": "chore",
            "input": {"seconds": 0},
            "cron": cron,
            "zone": "UTC",
            "tags": ["home"],
            "priority": "batch",
            "catch_up": "one",
            "enabled": True,
            "starts_at": None,
            "ends_at": None,
            **more,
        }
        steps = edit.create(self.owner, columns, most=1000, now=self.now)
        return self.lab.as_owner(self.owner, steps).id

    def fire(self, schedule_id: UUID, limits: Limits = NO_LIMITS) -> Fired | None:
        steps = firing.fire(self.owner, schedule_id, KINDS, limits=limits, now=self.now)
        return self.lab.as_owner(self.owner, steps)

    def scheduler(self, **settings: Any) -> Scheduler:
        own: Settings = self.lab.settings.model_copy(update=settings)
        made = Scheduler(own, self.stop, kinds=KINDS, clock=lambda: self.now)
        self._schedulers.append(made)
        return made

    def at(self, text: str) -> datetime:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return self.now

    def pass_by(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now

    def read(self, schedule_id: UUID) -> ScheduleView:
        return self.lab.as_owner(self.owner, views.read(self.owner, schedule_id))

    def runs(self, schedule_id: UUID) -> list[RunView]:
        """Oldest first."""
        steps = views.page_of_runs(self.owner, schedule_id, limit=200, offset=0)
        found, total = self.lab.as_owner(self.owner, steps)
        assert total == len(found)
        return found[::-1]

    def jobs(self, schedule_id: UUID) -> list[UUID]:
        with self.lab.stores.sql() as sql:
            rows = sql.execute(
                "SELECT id FROM jobs WHERE %s = ANY(tags) ORDER BY id",
                (firing.tag_of(schedule_id),),
            ).fetchall()
        return [row[0] for row in rows]

    def close(self) -> None:
        self.stop.set()
        for scheduler in self._schedulers:
            scheduler.close()


@pytest.fixture
def desk(lab: Lab) -> Iterator[Desk]:
    with lab.stores.sql() as sql:
        sql.execute("DELETE FROM schedules")
    made = Desk(lab)
    yield made
    made.close()

"""Sections on waiting: is the stated p90 true, and does one user's flood delay another's first."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import redis

from bench.load import quantile
from bench.rig import Rig
from core.kind import Lane
from tests.stack import until

Figures = dict[str, Any]
ENDED = "SELECT count(*) = 0 FROM jobs WHERE finished_at IS NULL"


@contextmanager
def _lab(rig: Rig) -> Iterator[Any]:
    """Kinds that nap, a worker that serves them, a publisher as an API process has it."""
    from services.publisher import CeleryBroker, Publisher
    from tests.lab import Lab

    os.environ.update(rig.stores.env())
    lab = Lab(rig.stores)
    with rig.stores.sql() as connection:
        connection.execute("DELETE FROM workers")
    children = [rig.worker(app="tests.faults.app"), rig.housekeeping()]
    publisher = Publisher(lab.engine, lambda: CeleryBroker(rig.stores.valkey.url()))
    try:
        yield lab, publisher
    finally:
        publisher.close()
        lab.close()
        for child in children:
            child.kill()  # the peer gets the machine to itself


def _send(lab: Any, publisher: Any, owner: UUID, **more: Any) -> UUID:
    made = lab.submit(owner, admit=True, **more)
    if made.message is not None:
        publisher.admitted(made.message)
    else:
        publisher.job_waits(Lane.COMPUTE)
    return UUID(str(made.job_id))


def estimates(rig: Rig, seconds: float = 60) -> Figures:
    """(g) Mixed load: the share of jobs that started within the p90 stated at their submit.

    Short and long jobs of twelve users at two thirds of what two slots can do, and after a third
    of the time one user's flood. The lanes are looked at once a second, as the API does.
    """
    from services.jobs import pace
    from tests.faults.kinds import BLINK, NAP

    dice = random.Random(20261121)
    with _lab(rig) as (lab, publisher):
        users = [lab.make_user() for _ in range(12)]
        flooder = lab.make_user()
        known, looked_at, flooded = pace.UNKNOWN_PACE, 0.0, False

        def submit(owner: UUID) -> None:
            # two kinds of one lane: their names are all that tells short from long
            kind, took_s = dice.choice(
                [(BLINK, dice.lognormvariate(-2.5, 0.6)), (NAP, dice.lognormvariate(-0.6, 0.8))]
            )
            _send(lab, publisher, owner, kind=kind, pace=known, seconds=min(took_s, 5))
            known.since[Lane.COMPUTE] += 1

        due = began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            if now >= looked_at + 1:
                looked_at, known = now, lab.as_engine(pace.pace(["nap", "blink"]))
            if now >= due:
                due += dice.expovariate(3.2)
                submit(dice.choice(users))
            if not flooded and now > began + seconds / 3:
                flooded = True
                for _ in range(60):
                    submit(flooder)
            time.sleep(0.005)
        until(lambda: rig.stores.one(ENDED), 240, 0.2)
        return _told(rig, flooder)


def _told(rig: Rig, flooder: UUID) -> Figures:
    """What the logs say that was said, beside what came."""
    with rig.stores.sql() as connection:
        rows = connection.execute(
            "SELECT extract(epoch FROM j.started_at - j.created_at)::float8,"
            " (e.data->'starts_in_s'->>'p50')::int, (e.data->'starts_in_s'->>'p90')::int,"
            " j.owner_id = %s FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.seq = 1",
            (flooder,),
        ).fetchall()
    told = [row for row in rows if row[2] is not None]
    return {
        "all": _judge(told),
        "those that waited over 1 s": _judge([row for row in told if row[0] > 1]),
        "of the flood": _judge([row for row in told if row[3]]),
        "jobs without a forecast": len(rows) - len(told),
    }


def _judge(rows: list[Any]) -> Figures:
    if not rows:
        return {"jobs": 0}
    waited = [row[0] for row in rows if row[0] > 0]
    return {
        "jobs": len(rows),
        "within p90 (>= 0.85)": round(sum(w <= p90 for w, _, p90, _ in rows) / len(rows), 3),
        "within p50": round(sum(w <= p50 for w, p50, _, _ in rows) / len(rows), 3),
        "median p90 / true wait": round(
            statistics.median(p90 / w for w, _, p90, _ in rows if w > 0), 2
        ),
        "median wait s": round(statistics.median(waited), 2),
        "longest wait s": round(max(waited), 1),
    }


def flood(rig: Rig, jobs: int = 1000, guests: int = 20, nap_s: float = 0.02) -> Figures:
    """(h) One user floods 1,000 jobs; how long each guest's first waits, beside FIFO Celery."""
    from tests.faults.kinds import NAP

    with _lab(rig) as (lab, publisher):
        user = lab.make_user()
        people = [lab.make_user() for _ in range(guests)]
        for _ in range(jobs):
            _send(lab, publisher, user, kind=NAP, seconds=nap_s)
        firsts = []
        for guest in people:
            firsts.append(_send(lab, publisher, guest, kind=NAP, seconds=nap_s))
            time.sleep(0.3)
        left = rig.stores.one("SELECT count(*) FROM jobs WHERE finished_at IS NULL")
        started = "SELECT count(*) = %s FROM jobs WHERE id = ANY(%s) AND started_at IS NOT NULL"
        until(lambda: rig.stores.one(started, guests, firsts), 120, 0.1)
        waits = [
            float(
                rig.stores.one(
                    "SELECT extract(epoch FROM started_at - created_at) FROM jobs WHERE id = %s",
                    one,
                )
            )
            for one in firsts
        ]
    rig.plain_worker()
    from celery import Celery

    url = rig.stores.valkey.url(database=1)
    sender, results = Celery(broker=url), redis.Redis.from_url(url)
    for _ in range(jobs):
        sender.send_task("plain.nap", [nap_s], queue="plain")
    for _ in range(guests):
        sender.send_task("plain.nap", [nap_s, time.time()], queue="plain")
        time.sleep(0.3)
    until(lambda: results.llen("plain:starts") == guests, 120, 0.1)
    theirs = [float(value) for value in results.lrange("plain:starts", 0, -1)]  # type: ignore[union-attr]
    sender.close()
    return {
        "ours": _waits(waits) | {"jobs left after the last guest": left},
        "Celery, first in first out": _waits(theirs),
    }


def _waits(waits: list[float]) -> Figures:
    return {
        "median s": round(quantile(waits, 0.5), 3),
        "worst s": round(max(waits), 3),
        "guests": len(waits),
    }

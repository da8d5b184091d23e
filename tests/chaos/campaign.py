"""One campaign from an empty stage to the judgement."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import stack
from tests.chaos import errands, oracle, recovery
from tests.chaos.camper import Camper
from tests.chaos.nemesis import Nemesis, Struck
from tests.chaos.oracle import Violation
from tests.chaos.recovery import Cost
from tests.chaos.schedule import Fault
from tests.chaos.stage import Parts, Stage
from tests.chaos.testimony import Testimony
from tests.stack import Stores


@dataclass(frozen=True)
class Plan:
    """What a campaign is made of.

    Attributes:
        seconds: how long clients submit and faults strike.
        drain_s: how long whatever was begun may take to end afterwards.
        campers: how many users there are.
        every_s: mean time between two errands of one user.
        to_the_last: clients go on until the last fault is healed, however late it came.
    """

    seed: int
    seconds: float
    schedule: Sequence[Fault]
    parts: Parts = field(default_factory=Parts)
    drain_s: float = 150.0
    campers: int = 8
    every_s: float = 2.5
    draw: errands.Draw = errands.draw
    to_the_last: bool = False


@dataclass
class Outcome:
    """What came of it."""

    plan: Plan
    began: float
    took_s: float
    told: Testimony
    struck: list[Struck]
    costs: list[Cost]
    restarts: dict[str, int]
    tally: dict[str, dict[str, int]]
    pace: dict[str, float]
    slowest: list[dict[str, Any]]
    over_time: list[tuple[int, int, int, int]]
    attempts: dict[str, int]
    violations: list[Violation]


def run(plan: Plan, logs: Path) -> Outcome:
    """Carry out a campaign; everything that it started is gone afterwards.

    Args:
        logs: folder that gets the log of each process.
    """
    with stack.stores() as stores:
        with stores.sql() as connection:
            connection.execute(oracle.RECORD_MOVES)
        stage = Stage(stores, plan.parts)
        try:
            stage.ready()
            return _on(stage, plan)
        finally:
            stage.close()
            logs.mkdir(parents=True, exist_ok=True)
            for each in stores.folder.glob("*.log"):
                shutil.copy(each, logs)


def _on(stage: Stage, plan: Plan) -> Outcome:
    told, nemesis = Testimony(), Nemesis(stage, plan.seed)
    began, took_s = asyncio.run(_crowd(stage, plan, told, nemesis))
    left = [*_held(stage.stores), *stage.stop()]
    jobs = oracle.read(stage.stores.postgres.dsn("postgres"))
    struck = sorted(nemesis.struck, key=lambda one: one.began)
    with stage.stores.sql() as connection:
        return Outcome(
            plan=plan,
            began=began,
            took_s=round(took_s, 1),
            told=told,
            struck=struck,
            costs=recovery.costs(connection, struck),
            restarts=stage.restarts(),
            tally=oracle.tally(jobs),
            pace=recovery.pace(connection),
            slowest=recovery.slowest(connection, began),
            over_time=recovery.crowd_over_time(connection, began, took_s),
            attempts=dict(
                connection.execute(
                    "SELECT coalesce(outcome, 'open'), count(*) FROM job_attempts GROUP BY 1"
                ).fetchall()
            ),
            violations=oracle.judge(jobs, told, left),
        )


async def _crowd(
    stage: Stage, plan: Plan, told: Testimony, nemesis: Nemesis
) -> tuple[float, float]:
    """Clients and faults, from the first errand until everything has ended.

    Returns:
        When it began, by the clock of the machine, and how many seconds it took.
    """
    rng = random.Random(plan.seed)
    campers = [Camper(stage.urls, random.Random(rng.random()), told) for _ in range(plan.campers)]
    await asyncio.gather(*(camper.arrive() for camper in campers))
    began, until = time.time(), time.monotonic() + plan.seconds
    striking = nemesis.begin(plan.schedule)
    try:
        lives = [
            camper.live(
                lambda: time.monotonic() < until or (plan.to_the_last and striking.is_alive()),
                until + plan.drain_s,
                plan.every_s,
                plan.draw,
            )
            for camper in campers
        ]
        ended: list[Any] = await asyncio.gather(*lives, return_exceptions=True)
    finally:
        nemesis.stop()
        await asyncio.to_thread(striking.join)
    for camper in campers:
        await camper.close()
    told.wrong += [f"a client broke: {error!r}" for error in ended if error is not None]
    return began, time.monotonic() - until + plan.seconds


def _held(stores: Stores) -> list[str]:
    """Transactions that stay open although nobody asks for anything any more."""
    query = "SELECT usename || ': ' || left(query, 120) FROM pg_stat_activity"
    query += " WHERE state LIKE 'idle in transaction%%'"
    query += " AND state_change < now() - interval '3 seconds'"
    with stores.sql() as connection:
        return [f"open transaction of {row[0]}" for row in connection.execute(query)]

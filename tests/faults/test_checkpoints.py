"""A plan whose worker is killed goes on where it stood, by the next attempt."""

from __future__ import annotations

import os
import signal
from typing import Any
from uuid import UUID

from services.jobs import requests
from services.roads import GreatCircle
from tasks.plan_route.contract import PLAN_ROUTE, RouteRequest
from tasks.plan_route.engine.problem import build
from tasks.plan_route.engine.roads import table_for
from tests.faults.conftest import Floor
from tests.faults.oracle import Oracle
from tests.faults.test_workers_die import attempt_of, pid_of
from tests.stack import until
from tests.tasks.plan_route.instances import windowed_request

#: Long enough that it cannot be over before its worker is killed.
BUDGET_S = 60.0
PLAN = windowed_request("n200w40.001.txt", budget_s=BUDGET_S)


def saved(floor: Floor, job_id: UUID) -> tuple[int, dict[str, Any]] | None:
    """Attempt and state of the checkpoint."""
    with floor.stores.sql() as connection:
        query = "SELECT attempt, state FROM job_checkpoints WHERE job_id = %s"
        row = connection.execute(query, (job_id,)).fetchone()
    return None if row is None else (row[0], row[1])


def progress_of(floor: Floor, job_id: UUID, attempt: int) -> list[dict[str, Any]]:
    """What an attempt has reported of its plans, in order."""
    with floor.stores.sql() as connection:
        rows = connection.execute(
            "SELECT type, data FROM job_events WHERE job_id = %s ORDER BY seq", (job_id,)
        ).fetchall()
    found, at = [], 0
    for kind, data in rows:
        at = data["attempt"] if kind == "job.started" else at
        if kind == "job.progress" and at == attempt and data["progress"]["data"]:
            found.append(data["progress"])
    return found


def value_of(state: dict[str, Any]) -> float:
    """What the best order of a checkpoint is worth, counted here."""
    request = RouteRequest.model_validate(PLAN)
    problem = build(request, table_for(request, GreatCircle()))
    values = [problem.value(order) for order in state["orders"]]
    return min(problem.objective(value) for value in values if value is not None)


class TestAWorkerIsKilled:
    def test_the_next_attempt_goes_on_from_the_checkpoint(self, floor: Floor) -> None:
        """kill -9 of the pool child in mid-run; the result is no worse than what was saved."""
        floor.housekeeping()
        floor.worker(slots=1)
        (job_id,) = floor.submit(1, PLAN_ROUTE, **PLAN)
        until(lambda: saved(floor, job_id), 30)
        os.kill(pid_of(floor, job_id), signal.SIGKILL)
        until(lambda: attempt_of(floor, job_id) == 2, 30)
        # an attempt saves nothing in its first second
        before = saved(floor, job_id)
        assert before is not None
        attempt, state = before
        assert attempt == 1
        first = until(lambda: progress_of(floor, job_id, 2), 30)[0]
        assert first["data"]["objective"] <= value_of(state)
        assert first["fraction"] >= state["spent_s"] / BUDGET_S > 0
        kinds = {PLAN_ROUTE.name: PLAN_ROUTE}
        floor.lab.as_owner(floor.owner, requests.finish(floor.owner, job_id, kinds))
        floor.ended()
        assert (
            Oracle(floor.stores.postgres.dsn("postgres")).check([job_id], effects=False).violations
            == []
        )
        result = floor.stores.one("SELECT result FROM job_payloads WHERE job_id = %s", job_id)
        assert result["objective"] <= value_of(state)
        assert saved(floor, job_id) is None

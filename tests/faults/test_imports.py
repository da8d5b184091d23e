"""A worker dies while it imports: none of the lines are there, until all are, once."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import httpx2

from tests.faults.conftest import Floor
from tests.stack import until

LINES = 20_000
HEAD = "Date,Amount,Currency,Category,Memo\r\n"
COLUMNS = {
    "spent_on": "Date",
    "amount": "Amount",
    "currency": "Currency",
    "category": "Category",
    "description": "Memo",
}


def upload(http: httpx2.Client) -> str:
    content = HEAD + "".join(f"2026-01-14,{n}.25,AUD,fuel,no {n}\r\n" for n in range(1, LINES + 1))
    answer = http.post(
        "/api/v1/imports",
        content=content.encode(),
        params={"options": json.dumps({"columns": COLUMNS})},
        headers={"Content-Type": "text/csv"},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["id"])


def count(floor: Floor) -> int:
    return int(floor.stores.one("SELECT count(*) FROM expenses"))


def begin(floor: Floor) -> tuple[httpx2.Client, str]:
    floor.housekeeping()
    floor.worker(app="workers.app")
    http = floor.client(floor.api().url).http
    with floor.stores.sql() as connection:
        connection.execute("DELETE FROM expenses")
    return http, upload(http)


def job(http: httpx2.Client, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/api/v1/jobs/{job_id}").json()["data"]
    return found


def half_way(http: httpx2.Client, job_id: str) -> bool:
    progress = job(http, job_id)["progress"]
    return bool(progress and progress["stage"] == "checking")


class TestAnImport:
    def test_is_done_once_after_kill_9(self, floor: Floor) -> None:
        http, job_id = begin(floor)
        until(lambda: half_way(http, job_id))
        os.kill(floor.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", job_id), 9)
        assert count(floor) == 0
        until(lambda: job(http, job_id)["finished_at"], 60)
        ended = job(http, job_id)
        assert (ended["status"], ended["attempt"]) == ("succeeded", 2)
        assert ended["result"]["imported"] == count(floor) == LINES

    def test_is_done_once_after_kill_9_in_its_commit(self, floor: Floor) -> None:
        """Rows are written, and the transaction has not ended."""
        http, job_id = begin(floor)
        until(lambda: half_way(http, job_id))
        writing = (
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'wheels_app'"
            " AND position('json_to_recordset' IN query) > 0 AND state <> 'idle'"
        )
        until(lambda: floor.stores.one(writing), every_s=0.005)
        os.kill(
            floor.stores.one("SELECT pid FROM job_runs WHERE job_id = %s", job_id), signal.SIGKILL
        )
        assert count(floor) == 0
        until(lambda: job(http, job_id)["finished_at"], 60)
        ended = job(http, job_id)
        assert (ended["status"], ended["attempt"]) == ("succeeded", 2)
        assert count(floor) == LINES

    def test_leaves_nothing_when_it_is_cancelled(self, floor: Floor) -> None:
        http, job_id = begin(floor)
        until(lambda: half_way(http, job_id))
        http.post(f"/api/v1/jobs/{job_id}/cancel")
        until(lambda: job(http, job_id)["finished_at"], 30)
        assert job(http, job_id)["status"] == "cancelled"
        assert count(floor) == 0

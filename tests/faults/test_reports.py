"""A worker is killed while it writes a report: the next attempt leaves one set of files."""

from __future__ import annotations

import os
import signal

from services.books import finance
from services.jobs import views
from tasks.report_expenses.contract import REPORT_EXPENSES
from tests.faults.conftest import Floor
from tests.faults.test_workers_die import pid_of
from tests.stack import until

#: So many that the workbook takes seconds, and the kill comes in the middle of it.
ENTRIES = """
INSERT INTO expenses (id, owner_id, amount, currency, exponent, category, spent_on,
    base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)
SELECT gen_random_uuid(), %s, n, 'AUD', 2, 'fuel', day, 'AUD', 2, n, 1, day, 'same'
FROM (SELECT n, date '2026-01-01' + n %% 31 AS day FROM generate_series(1, 20000) AS n) AS made
"""
FILES = "SELECT count(*) FROM artifacts WHERE job_id = %s"


class TestAReportWhoseWorkerIsKilled:
    def test_has_one_set_of_files(self, floor: Floor) -> None:
        floor.lab.as_owner(floor.owner, finance.put(floor.owner, "AUD", "UTC"))
        with floor.stores.sql() as sql:
            sql.execute(ENTRIES, (floor.owner,))
        floor.housekeeping()
        floor.worker()
        (job_id,) = floor.submit(
            kind=REPORT_EXPENSES,
            period={"from": "2026-01-01", "to": "2026-02-01"},
            formats=["csv", "xlsx", "json"],
        )
        until(lambda: floor.stores.one(FILES, job_id) == 1)
        os.kill(pid_of(floor, job_id), signal.SIGKILL)
        floor.ended()
        job = floor.lab.as_owner(floor.owner, views.read(floor.owner, job_id))
        assert (job.status, job.attempt) == ("succeeded", 2), job.error
        assert job.result is not None
        assert job.result["totals"]["spent"] == {"amount": "200010000.00", "currency": "AUD"}
        named = {each["name"]: each["id"] for each in job.result["artifacts"]}
        assert sorted(named) == [f"expenses-2026-01.{end}" for end in ("csv", "json", "xlsx")]
        assert {each["name"]: each["id"] for each in job.artifacts} == named
        assert floor.lab.events(job_id)[-1] == "job.succeeded"

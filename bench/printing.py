"""One report in a process of its own, as a worker makes it: `python -m bench.printing`.

Reads the stores' environment; prints one line of JSON: seconds by format and in all, and the
most memory that this process and its children held, in megabytes.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.ledgers import PERIOD
from core.database import Database, Role
from core.ids import new_id
from core.kind import Progress
from core.settings import Settings
from services.artifacts.store import open_store
from tasks.report_expenses.contract import ReportRequest, ReportResult
from tasks.report_expenses.making import make_report

#: Reports of which the median is told, where one takes less than a second.
ROUNDS = 5


class Watch:
    """A `Run` that notes when its files were there, and keeps none."""

    def __init__(self) -> None:
        self.at = {"began": time.perf_counter()}
        self.sizes: dict[str, int] = {}

    def check(self) -> None:
        pass

    def report(self, progress: Progress) -> None:
        self.at.setdefault(progress.stage, time.perf_counter())

    def artifact(self, name: str, media_type: str, content: Path) -> UUID:
        del media_type
        self.sizes[name.rpartition(".")[2]] = content.stat().st_size
        return new_id()


def peak_mb() -> float:
    """Of this process, and of the largest of its children, both at their worst."""
    status = Path("/proc/self/status").read_text()
    # not `ru_maxrss`, which begins with what the parent held when it forked
    own = int(status.split("VmHWM:")[1].split()[0])
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round((own + children) / 1024, 1)


def main() -> None:
    owner, *formats = sys.argv[1:]
    database = Database(Settings(), Role.APP)
    before = peak_mb()
    asked: dict[str, Any] = {"period": PERIOD, "currency": "AUD", "formats": formats}

    def printed(who: UUID) -> tuple[float, float, ReportResult]:
        began, used = time.perf_counter(), time.process_time()
        result = make_report(
            ReportRequest.model_validate(asked),
            watch,  # type: ignore[arg-type]
            database=database,
            store=open_store(Settings()),
            owner_id=who,
            job_id=new_id(),
        )
        return time.perf_counter() - began, time.process_time() - used, result

    # an empty one loads and connects whatever a worker has loaded long ago; a short one is
    # made several times, as a worker that has been up for a while would
    watch = Watch()
    printed(new_id())
    idle = peak_mb()
    runs = [printed(UUID(owner))]
    while runs[0][0] < 1 and len(runs) < ROUNDS:
        runs.append(printed(UUID(owner)))
    database.dispose()
    result = runs[0][2]
    print(
        json.dumps(
            {
                "s": round(statistics.median(run[0] for run in runs), 3),
                "cpu_s": round(statistics.median(run[1] for run in runs), 3),
                "rows": result.rows,
                "spent": result.totals.spent.amount,
                "peak_mb": peak_mb(),
                "idle_mb": idle,
                "imported_mb": before,
                "sizes": watch.sizes,
            }
        )
    )


if __name__ == "__main__":
    main()

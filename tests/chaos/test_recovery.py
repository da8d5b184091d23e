"""What a campaign says of its costs: read from the tables, with jobs moved by hand."""

from __future__ import annotations

import time
from uuid import UUID

from tests.chaos import oracle, recovery
from tests.chaos.nemesis import Struck
from tests.chaos.schedule import Fault
from tests.errands import Errands
from tests.lab import Lab
from tests.stack import Stores

#: Longer than any other job of the shared tables took. Seconds.
LONG_S = 300_000_000


def test_the_costs_of_a_fault_and_the_story_of_the_slowest(stores: Stores) -> None:
    lab = Lab(stores)
    try:
        errands = Errands(lab, str(lab.make_user()))
        with stores.sql() as connection, connection.transaction(force_rollback=True):
            began = time.time() - 5
            job_id: UUID = errands.done()
            stuck = errands.submit()
            lab.past(stuck, created_at=LONG_S)
            errands.succeed(errands.claim(stuck))
            connection.execute(oracle.RECORD_MOVES)
            first, *_ = recovery.slowest(connection, began)
            assert first["job"] == "errand succeeded"
            assert first["took_s"] >= LONG_S
            assert first["log"].split(", ")[-1].startswith("succeeded 3000000")
            struck = [Struck(Fault(1.0, "flush_broker", "broker"), began, began + 1)]
            (cost,) = recovery.costs(connection, struck)
            assert cost.served_s is not None
            assert 0 < cost.served_s < 60
            assert (cost.rescued, cost.rescue_s) == (0, None)
            pace = recovery.pace(connection)
            assert pace["slowest_s"] >= LONG_S
            assert lab.status(job_id) == "succeeded"
    finally:
        lab.close()

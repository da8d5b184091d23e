"""An operator drains a worker by its name."""

from __future__ import annotations

from services.jobs import fleet
from tests.faults.conftest import Floor
from tests.stack import until


class TestADrainedWorker:
    def test_gives_long_runs_back_and_ends_in_order(self, floor: Floor) -> None:
        floor.housekeeping()
        worker = floor.worker(slots=1, name="tired")
        (job_id,) = floor.submit(seconds=14)
        until(lambda: floor.running([job_id]))
        floor.lab.as_engine(fleet.drain_by_name("tired@test"))
        until(lambda: worker.process.poll() is not None, 30)
        assert worker.process.wait(1) == 0, worker.output()[-2000:]
        assert floor.lab.status(job_id) == "queued"
        outcome = "SELECT outcome FROM job_attempts WHERE job_id = %s"
        assert floor.stores.one(outcome, job_id) == "given_back"
        # what its supervisor starts again is another incarnation, which no longer drains
        worker.start()
        until(lambda: floor.running([job_id]), 30)

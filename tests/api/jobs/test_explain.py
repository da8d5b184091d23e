"""Why a job waits, over HTTP; the reasons themselves are tested where they are found."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.errands import Errands, url
from tests.stack import Stores


def free_lane(stores: Stores) -> None:
    with stores.sql() as connection:
        connection.execute("DELETE FROM jobs WHERE lane = 'io'")


class TestAnExplanation:
    async def test_has_all_of_its_fields(self, user: User, errands: Errands) -> None:
        free_lane(errands.lab.stores)
        job_id = errands.submit(start_within_s=60)
        answer = await user.http.get(url(job_id, "/explain"))
        assert answer.status_code == 200
        data = answer.json()["data"]
        assert (data["status"], data["attempt"], data["queue_position"]) == ("queued", 0, 1)
        assert data.keys() == {
            *("status", "attempt", "queue_position", "admitted_at", "waits_for", "bounds"),
        }
        # nobody serves its lane
        [reason] = [each for each in data["waits_for"] if each["code"] == "NO_WORKER"]
        assert reason == {
            "code": "NO_WORKER",
            "detail": "No worker serves its lane.",
            "until": None,
            "counts": {"workers": 0, "draining": 0},
            "error": None,
        }
        [bound] = data["bounds"]
        assert (bound["code"], bound["until"][-1]) == ("START_BY", "Z")

    async def test_tells_why_the_attempt_before_ended(self, user: User, errands: Errands) -> None:
        job_id = errands.submit()
        errands.err(errands.claim(job_id), retryable=True)
        data: dict[str, Any] = (await user.http.get(url(job_id, "/explain"))).json()["data"]
        reason = data["waits_for"][0]
        assert reason["code"] == "RETRYING"
        assert reason["error"]["error_code"] == "ROAD_CLOSED"

    async def test_knows_the_caps_of_the_installation(
        self, user: User, errands: Errands, make_app: MakeApp, running: Running
    ) -> None:
        errands.claim(errands.submit())
        job_id = errands.submit()
        app = make_app(max_running_jobs=1, max_running_by_kind={"errand": 1})
        codes = ["ADMITTED"]
        async with running(app) as http:
            http.headers["Authorization"] = user.http.headers["Authorization"]
            while codes[0] == "ADMITTED":  # by a lifeline of other tests, which knows no caps
                with errands.lab.stores.sql() as sql:
                    sql.execute("UPDATE jobs SET admitted_at = NULL WHERE id = %s", (job_id,))
                data = (await http.get(url(job_id, "/explain"))).json()["data"]
                codes = [each["code"] for each in data["waits_for"]]
        assert codes[:2] == ["OWN_CAP", "KIND_CAP"]

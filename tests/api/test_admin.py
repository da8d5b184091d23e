"""What admins see and do, that it is recorded, and that nobody else can."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from core.ids import new_id
from core.kind import Lane
from services.jobs import fleet
from services.jobs.admission import admit
from services.jobs.repair import rescue
from services.jobs.settle import MAX_CRASHES
from tests.admins import promote
from tests.conftest import User
from tests.errands import DULL_ERRAND, ERRAND, Errands, url
from tests.lab import DAYS, Lab
from tests.stack import Stores

ADMIN = "/api/v1/admin"


@pytest.fixture(scope="module")
def lab(stores: Stores) -> Any:
    made = Lab(stores)
    yield made
    made.close()


@pytest.fixture
def errands(lab: Lab, user: User) -> Errands:
    """The jobs of `user`, who is no admin."""
    return Errands(lab, user.id)


@pytest_asyncio.fixture
async def admin(stores: Stores, sign_up: Any) -> User:
    made: User = await sign_up()
    promote(stores, made)
    return made


async def get(admin: User, path: str, **query: Any) -> Any:
    answer = await admin.http.get(f"{ADMIN}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ids(admin: User, path: str, **query: Any) -> list[str]:
    return [job["id"] for job in (await get(admin, path, **query))["data"]]


def dead_letter(errands: Errands, **more: Any) -> UUID:
    """A job whose worker was lost each time."""
    job_id = errands.submit(**more)
    for attempt in range(MAX_CRASHES):
        errands.lab.past(job_id, ready_at=1)
        errands.claim(job_id, attempt)
        errands.lab.past(job_id, lease_until=1)
        errands.lab.as_engine(rescue(keep_days=DAYS))
    assert errands.lab.status(job_id) == "failed"
    return job_id


class TestTheRole:
    async def test_counts_by_the_row(self, stores: Stores, admin: User) -> None:
        assert (await admin.http.get(f"{ADMIN}/jobs")).status_code == 200
        with stores.sql() as connection:
            connection.execute("UPDATE users SET role = 'user' WHERE id = %s", (admin.id,))
        answer = await admin.http.get(f"{ADMIN}/jobs")
        assert answer.status_code == 403
        assert answer.json()["error_code"] == "ADMIN_REQUIRED"


class TestTheSearch:
    async def test_finds_by_each_field(self, admin: User, errands: Errands, lab: Lab) -> None:
        tag = f"trip:{new_id()}"
        done = errands.done(tags=[tag])
        claimed = errands.claim(errands.submit(DULL_ERRAND, tags=[tag]))
        errands.err(claimed, retryable=False)
        failed, queued = claimed.job_id, errands.submit(tags=[tag])
        every = {"tag": tag, "owner_id": str(errands.owner_id)}
        assert await ids(admin, "jobs", **every) == [str(queued), str(failed), str(done)]
        for query, wanted in (
            ({"status": "succeeded"}, [done]),
            ({"kind": "dull_errand"}, [failed]),
            ({"lane": "compute"}, []),
            ({"error_code": "ROAD_CLOSED"}, [failed]),
            ({"error_code": "WORKER_LOST"}, []),
            ({"id_prefix": str(done)}, [done]),
            ({"id_prefix": str(done).replace("-", "")[:31]}, [done]),
            ({"finished_from": "2020-01-01T00:00:00Z"}, [failed, done]),
            ({"created_to": "2020-01-01T00:00:00Z"}, []),
            ({"page_size": "1", "page": "2"}, [failed]),
        ):
            found = await ids(admin, "jobs", **every, **query)
            assert found == [str(each) for each in wanted], query

    async def test_shows_nothing_that_people_wrote(self, admin: User, errands: Errands) -> None:
        job_id = errands.submit(what="a secret parcel")
        errands.succeed(errands.claim(job_id))
        for path in ("jobs", f"jobs/{job_id}"):
            text = (await admin.http.get(f"{ADMIN}/{path}")).text
            assert str(job_id) in text
            assert "secret parcel" not in text

    @pytest.mark.parametrize(
        ("name", "value"),
        [("id_prefix", "xyz"), ("status", "lost"), ("created_from", "2026-01-01T00:00:00")],
    )
    async def test_refuses_nonsense(self, admin: User, name: str, value: str) -> None:
        answer = await admin.http.get(f"{ADMIN}/jobs", params={name: value})
        assert answer.status_code == 422
        assert name in answer.json()["field_errors"]


class TestTheDetail:
    async def test_tells_the_history(self, admin: User, errands: Errands) -> None:
        job_id = errands.submit()
        errands.err(errands.claim(job_id), retryable=True)
        errands.lab.past(job_id, ready_at=1)
        errands.claim(job_id, 1)
        seen = (await get(admin, f"jobs/{job_id}"))["data"]
        assert seen["owner_id"] == str(errands.owner_id)
        assert [each["outcome"] for each in seen["attempts"]] == ["retried", None]
        assert seen["attempts"][0]["error"]["error_code"] == "ROAD_CLOSED"
        assert seen["attempts"][1]["lease_until"] is not None
        assert seen["attempts"][1]["worker"].startswith("lab-")
        types = [each["type"] for each in seen["events"]]
        assert types == ["job.started", "job.retrying", "job.started", "job.queued"]

    async def test_of_nothing_is_absent(self, admin: User) -> None:
        assert (await admin.http.get(f"{ADMIN}/jobs/{new_id()}")).status_code == 404


class TestDeadLetters:
    async def test_are_what_another_attempt_may_not_meet(
        self, admin: User, errands: Errands
    ) -> None:
        lost = dead_letter(errands)
        final = errands.claim(errands.submit())
        errands.err(final, retryable=False)  # the owner's own mistake
        worn = errands.submit()
        for attempt in range(3):
            errands.lab.past(worn, ready_at=1)
            errands.err(errands.claim(worn, attempt), retryable=True)
        owner = str(errands.owner_id)
        assert await ids(admin, "dead-letters", owner_id=owner) == [str(worn), str(lost)]

    async def test_are_replayed_once_however_often_and_name_their_successor(
        self, admin: User, errands: Errands, user: User
    ) -> None:
        job_id = dead_letter(errands, what="a heavy parcel")
        path = f"{ADMIN}/dead-letters/{job_id}/replay"
        answers = await asyncio.gather(*(admin.http.post(path) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
        successors = {answer.json()["data"]["successor_id"] for answer in answers}
        assert len(successors) == 1
        (successor,) = successors
        made = (await user.http.get(url(successor))).json()["data"]
        assert made["retry_of"] == str(job_id)
        assert made["input"] == {"what": "a heavy parcel"}
        seen = (await get(admin, f"jobs/{job_id}"))["data"]
        assert seen["replayed_as"] == successor
        owner = str(errands.owner_id)
        assert await ids(admin, "dead-letters", owner_id=owner, replayed="false") == []
        assert await ids(admin, "dead-letters", owner_id=owner, replayed="true") == [str(job_id)]
        recorded = [a for a in (await get(admin, "actions"))["data"] if a["target"] == str(job_id)]
        assert [each["details"] for each in recorded] == [{"successor_id": successor}]

    async def test_are_replayed_by_filter_within_bounds(
        self, admin: User, errands: Errands
    ) -> None:
        letters = [dead_letter(errands) for _ in range(3)]
        body = {"owner_id": str(errands.owner_id), "error_code": "WORKER_LOST", "limit": 2}
        path = f"{ADMIN}/dead-letters/replay"
        first = (await admin.http.post(path, json=body)).json()["data"]
        assert first["left"] == 1
        assert {each["job_id"] for each in first["replayed"]} == {str(x) for x in letters[1:]}
        second = (await admin.http.post(path, json=body)).json()["data"]
        assert [each["job_id"] for each in second["replayed"]] == [str(letters[0])]
        assert (await admin.http.post(path, json=body)).json()["data"]["replayed"] == []

    async def test_are_no_jobs_that_ended_well(self, admin: User, errands: Errands) -> None:
        answer = await admin.http.post(f"{ADMIN}/dead-letters/{errands.done()}/replay")
        assert answer.json()["error_code"] == "NOT_A_DEAD_LETTER"
        answer = await admin.http.post(f"{ADMIN}/dead-letters/{new_id()}/replay")
        assert answer.status_code == 404

    async def test_refuse_unknown_fields(self, admin: User) -> None:
        answer = await admin.http.post(f"{ADMIN}/dead-letters/replay", json={"everything": True})
        assert answer.status_code == 422


@pytest_asyncio.fixture
async def pausing(admin: User, stores: Stores) -> Any:
    """Pause and resume over HTTP; whatever is left paused is resumed."""

    async def put(path: str, reason: str | None = None) -> Any:
        answer = await admin.http.put(f"{ADMIN}/pauses/{path}", json={"reason": reason})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    yield put
    with stores.sql() as connection:
        connection.execute("DELETE FROM pauses")


class TestAPause:
    async def test_holds_new_and_waiting_jobs_and_lets_running_ones_end(
        self, admin: User, errands: Errands, lab: Lab, pausing: Any, user: User
    ) -> None:
        running = errands.claim(errands.submit())
        sent = errands.submit(admit=True)
        seen = await pausing("kind/errand", "the post is closed")
        assert seen["reason"] == "the post is closed"
        assert seen["paused_by"] == admin.id
        late = errands.submit(admit=True)
        # neither what lies with the broker, nor what comes, nor what is picked by anybody
        assert lab.claim(sent) is None
        assert lab.claim(late) is None
        picked = {message.kind for message in lab.as_engine(admit(Lane.IO, 100))}
        assert "errand" not in picked
        job = (await user.http.get(url(late))).json()["data"]
        assert job["status"] == "queued"
        assert job["queue_position"] is not None
        assert job["eta_s"] is None
        errands.succeed(running)
        assert lab.status(running.job_id) == "succeeded"
        answer = await admin.http.delete(f"{ADMIN}/pauses/kind/errand")
        assert answer.status_code == 204
        lab.as_engine(admit(Lane.IO, 100))
        assert lab.claim(sent) is not None
        assert lab.claim(late) is not None

    async def test_of_a_kind_leaves_others_alone(
        self, errands: Errands, lab: Lab, pausing: Any
    ) -> None:
        await pausing("kind/errand")
        other = errands.submit(DULL_ERRAND)
        errands.submit()
        sent = {message.job_id for message in lab.as_engine(admit(Lane.IO, 100))}
        assert other in sent

    async def test_of_a_lane_stops_all_its_kinds(
        self, errands: Errands, lab: Lab, pausing: Any
    ) -> None:
        await pausing("lane/io")
        job_id = errands.submit(DULL_ERRAND, admit=True)
        assert lab.as_engine(admit(Lane.IO, 100)) == []
        assert lab.claim(job_id) is None

    async def test_does_not_admit_at_submit(
        self, errands: Errands, lab: Lab, pausing: Any, stores: Stores
    ) -> None:
        await pausing("kind/errand")
        made = lab.submit(errands.owner_id, ERRAND, admit=True)
        assert made.message is None
        assert made.view is not None
        assert made.view.paused

    async def test_is_idempotent_listed_and_recorded(self, admin: User, pausing: Any) -> None:
        first = await pausing("kind/errand", "why")
        again = await pausing("kind/errand", "another reason")
        assert again["paused_at"] == first["paused_at"]
        assert again["reason"] == "why"
        listed = (await get(admin, "pauses"))["data"]
        assert [(each["scope"], each["name"]) for each in listed] == [("kind", "errand")]
        assert (await admin.http.delete(f"{ADMIN}/pauses/kind/errand")).status_code == 204
        assert (await admin.http.delete(f"{ADMIN}/pauses/kind/errand")).status_code == 404
        actions = (await get(admin, "actions", page_size=3))["data"]
        assert [each["action"] for each in actions] == ["kind.resume", "kind.pause", "kind.pause"]
        assert {each["admin_id"] for each in actions} == {admin.id}
        assert all(each["request_id"] for each in actions)

    @pytest.mark.parametrize("path", ["kind/unknown", "lane/errand", "user/errand"])
    async def test_of_what_is_not_there_is_refused(self, admin: User, path: str) -> None:
        answer = await admin.http.put(f"{ADMIN}/pauses/{path}", json={})
        assert answer.status_code == 404


class TestWorkers:
    async def test_are_listed_with_what_they_run(
        self, admin: User, errands: Errands, lab: Lab
    ) -> None:
        name = f"io@{new_id()}"
        worker_id = lab.enter(name, Lane.IO, 3)
        lab.worker_id, before = worker_id, lab.worker_id
        claimed = errands.claim(errands.submit())
        lab.worker_id = before
        listed = (await get(admin, "workers"))["data"]
        (seen,) = [each for each in listed if each["id"] == str(worker_id)]
        assert (seen["name"], seen["slots"], seen["draining_at"]) == (name, 3, None)
        assert seen["jobs"] == [str(claimed.job_id)]
        lab.as_engine(fleet.leave(worker_id))
        listed = (await get(admin, "workers"))["data"]
        assert str(worker_id) not in [each["id"] for each in listed]

    async def test_are_drained_by_name(self, admin: User, lab: Lab) -> None:
        name = f"io@{new_id()}"
        worker_id = lab.enter(name, Lane.IO)
        assert lab.as_engine(fleet.beat(worker_id, 2)) is fleet.Orders.WORK
        first = await admin.http.post(f"{ADMIN}/workers/{name}/drain")
        assert first.status_code == 202
        again = await admin.http.post(f"{ADMIN}/workers/{name}/drain")
        assert again.json()["data"]["draining_at"] == first.json()["data"]["draining_at"]
        assert lab.as_engine(fleet.beat(worker_id, 2)) is fleet.Orders.DRAIN
        lab.as_engine(fleet.leave(worker_id))
        gone = await admin.http.post(f"{ADMIN}/workers/{name}/drain")
        assert gone.json()["error_code"] == "WORKER_NOT_FOUND"

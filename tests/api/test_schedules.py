"""Schedules over HTTP: made, found, changed, deleted, run; by their owner alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from api.schemas.schedules import ScheduleRead, ScheduleRunRead
from tests.conftest import User
from tests.errands import soon
from tests.faults.client import TRIP
from tests.stack import Child, Stores

Json = dict[str, Any]
SCHEDULES = "/api/v1/schedules"
NIGHTLY = {"kind": "plan_route", "input": TRIP, "cron": "30 3 * * *", "zone": "Australia/Sydney"}


async def make(user: User, **more: Any) -> Json:
    answer = await user.http.post(SCHEDULES, json=NIGHTLY | more)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()["data"]
    return made


def wrong(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


class TestMaking:
    async def test_answers_with_what_is_then_read(self, user: User) -> None:
        answer = await user.http.post(SCHEDULES, json=NIGHTLY | {"title": "By night"})
        made = answer.json()["data"]
        assert answer.headers["location"] == made["links"]["self"] == f"{SCHEDULES}/{made['id']}"
        assert answer.headers["etag"] == '"1"'
        read = await user.http.get(made["links"]["self"])
        assert read.json()["data"] == made
        shown = ScheduleRead.model_validate(made)
        assert (shown.title, shown.priority, shown.catch_up) == ("By night", "batch", "one")
        assert shown.next_run_at is not None
        assert shown.next_run_at > datetime.now(UTC)
        assert made["next_run_at"].endswith("Z")
        assert (made["last_run_at"], made["last_job_id"], made["retry_at"]) == (None, None, None)

    async def test_names_every_wrong_field_within_the_request_too(self, user: User) -> None:
        stops = [TRIP["stops"][0], {**TRIP["stops"][1], "lat": 91}]
        body = NIGHTLY | {"input": TRIP | {"stops": stops, "more": 1}, "cron": "0 25 * * *"}
        answer = await user.http.post(SCHEDULES, json=body | {"zone": "Mars/Base"})
        assert wrong(answer) == {"input.stops.1.lat", "input.more", "cron", "zone"}

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"kind": "no_such_kind"}, "kind"),
            ({"kind": "nap"}, "kind"),  # not for users
            ({"input": {}}, "input.start"),
            ({"input": []}, "input"),
            ({"cron": "0 0 31 2 *"}, "cron"),
            ({"cron": "* * * * * *"}, "cron"),
            ({"catch_up": "some"}, "catch_up"),
            ({"unknown": 1}, "unknown"),
            ({"starts_at": "2027-01-02T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z"}, "ends_at"),
        ],
    )
    async def test_refuses(self, more: Json, field: str, user: User) -> None:
        answer = await user.http.post(SCHEDULES, json=NIGHTLY | more)
        assert field in wrong(answer)

    async def test_with_a_key_makes_one(self, user: User) -> None:
        headers = {"Idempotency-Key": "night"}
        first, second = [
            await user.http.post(SCHEDULES, json=NIGHTLY, headers=headers) for _ in range(2)
        ]
        assert second.headers["idempotent-replayed"] == "true"
        assert first.json() == second.json()

    async def test_has_a_limit(self, make_app: Any, running: Any, user: User) -> None:
        async with running(make_app(max_schedules=2)) as client:
            client.headers = user.http.headers
            answers = [await client.post(SCHEDULES, json=NIGHTLY) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 409]
        assert answers[2].json()["error_code"] == "TOO_MANY_SCHEDULES"


class TestListing:
    async def test_filters_and_sorts(self, user: User) -> None:
        day = await make(user, cron="0 12 * * *", tags=["day"])
        off = await make(user, enabled=False)

        async def ids(query: str) -> list[str]:
            answer = await user.http.get(f"{SCHEDULES}{query}")
            return [each["id"] for each in answer.json()["data"]]

        assert await ids("") == [off["id"], day["id"]]
        assert await ids("?tag=day") == [day["id"]]
        assert await ids("?enabled=false") == [off["id"]]
        assert await ids("?kind=speak") == []
        assert await ids("?sort=next_run_at") == [day["id"], off["id"]]


class TestChanging:
    async def test_merges_what_is_sent(self, user: User) -> None:
        made = await make(user, title="By night")
        patch = {"cron": "0 5 * * *", "input": {"budget_s": 1}}
        answer = await user.http.patch(made["links"]["self"], json=patch)
        changed = answer.json()["data"]
        assert (changed["title"], changed["version"]) == ("By night", 2)
        assert changed["input"] == made["input"] | {"budget_s": 1}
        assert changed["next_run_at"] != made["next_run_at"]

    async def test_names_what_is_wrong_then(self, user: User) -> None:
        made = await make(user)
        answer = await user.http.patch(made["links"]["self"], json={"input": {"stops": []}})
        assert wrong(answer) == {"input.stops"}

    async def test_is_guarded_by_the_version(self, user: User) -> None:
        made = await make(user)
        for verb in ("PATCH", "DELETE"):
            answer = await user.http.request(
                verb, made["links"]["self"], json={"title": "x"}, headers={"If-Match": '"7"'}
            )
            assert answer.status_code == 412, answer.text

    async def test_to_nothing(self, user: User) -> None:
        made = await make(user)
        assert (await user.http.delete(made["links"]["self"])).status_code == 204
        assert (await user.http.get(made["links"]["self"])).status_code == 404
        assert (await user.http.delete(made["links"]["self"])).status_code == 404


class TestRunningNow:
    async def test_makes_a_job_that_its_links_list(self, user: User) -> None:
        made = await make(user, enabled=False, tags=["nightly"])
        headers = {"Idempotency-Key": "now"}
        answers = [await user.http.post(made["links"]["run"], headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        job = answers[0].json()["data"]
        assert answers[1].json()["data"]["id"] == job["id"]
        assert job["tags"] == ["nightly", f"schedule:{made['id']}"]
        listed = (await user.http.get(made["links"]["jobs"])).json()
        assert [each["id"] for each in listed["data"]] == [job["id"]]
        runs = (await user.http.get(made["links"]["runs"])).json()
        assert runs["total"] == 1
        run = ScheduleRunRead.model_validate(runs["data"][0])
        assert (str(run.job_id), run.period_at, run.outcome) == (job["id"], None, "made")
        read = (await user.http.get(made["links"]["self"])).json()["data"]
        assert (read["last_job_id"], read["version"]) == (job["id"], 1)


class TestTheClock:
    async def test_makes_the_job_and_a_worker_does_it(
        self, user: User, stores: Stores, housekeeper: Child, compute_worker: Child
    ) -> None:
        made = await make(user)
        with stores.sql() as sql:
            sql.execute(
                "UPDATE schedules SET next_run_at = next_run_at - interval '1 day',"
                " due_at = due_at - interval '1 day' WHERE id = %s",
                (made["id"],),
            )
        question = "SELECT status FROM jobs WHERE %s = ANY(tags)"
        await soon(
            lambda: stores.one(question, f"schedule:{made['id']}") == "succeeded", within_s=30
        )
        runs = (await user.http.get(made["links"]["runs"])).json()["data"]
        assert [run["outcome"] for run in runs] == ["made"]

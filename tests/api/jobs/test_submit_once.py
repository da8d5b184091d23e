"""Idempotency-Key over HTTP: whoever repeats a submit gets the first job again."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from tests.conftest import User
from tests.errands import Errands, url
from tests.lab import Lab
from tests.tasks.plan_route.bodies import body, stop

pytestmark = pytest.mark.usefixtures("held")

ROUTES = "/api/v1/routes"
TWO_STOPS = body(stop("a"), stop("b"))


async def post(
    user: User, key: str, path: str = ROUTES, content: Any = TWO_STOPS
) -> httpx2.Response:
    return await user.http.post(path, json=content, headers={"Idempotency-Key": key})


async def jobs_of(user: User) -> int:
    total: int = (await user.http.get("/api/v1/jobs")).json()["total"]
    return total


class TestTheSameRequestAgain:
    async def test_answers_with_the_first_job(self, user: User) -> None:
        first, second = await post(user, "k"), await post(user, "k")
        assert (first.status_code, second.status_code) == (202, 202)
        assert second.json()["data"]["id"] == first.json()["data"]["id"]
        assert second.headers["location"] == first.headers["location"]
        assert "idempotent-replayed" not in first.headers
        assert second.headers["idempotent-replayed"] == "true"
        assert await jobs_of(user) == 1

    async def test_is_rendered_anew(self, user: User) -> None:
        job = (await post(user, "k")).json()["data"]
        await user.http.post(job["links"]["cancel"])
        again = (await post(user, "k")).json()["data"]
        assert set(again) == set(job)
        assert again["seq"] > 1

    async def test_may_spell_its_body_otherwise(self, user: User) -> None:
        """Members in another order, and a default that is said aloud."""
        await post(user, "k")
        same = dict(reversed({**TWO_STOPS, "seed": 1}.items()))
        assert (await post(user, "k", content=same)).headers["idempotent-replayed"] == "true"

    async def test_fifty_at_once_make_one_job(self, user: User) -> None:
        answers = await asyncio.gather(*(post(user, "storm") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["data"]["id"] for answer in answers}) == 1
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 49
        assert await jobs_of(user) == 1

    async def test_of_another_user_makes_another_job(self, user: User, sign_up: Any) -> None:
        stranger = await sign_up()
        first, second = await post(user, "k"), await post(stranger, "k")
        assert "idempotent-replayed" not in second.headers
        assert first.json()["data"]["id"] != second.json()["data"]["id"]

    async def test_after_a_refusal_is_a_first_request(self, user: User) -> None:
        assert (await post(user, "k", content={})).status_code == 422
        assert "idempotent-replayed" not in (await post(user, "k")).headers

    async def test_waits_as_well(self, user: User, lab: Lab) -> None:
        job_id = Errands(lab, user.id).done()
        path = url(job_id, "/retry")
        first = await post(user, "k", path)
        headers = {"Idempotency-Key": "k", "Prefer": "wait=1"}
        second = await user.http.post(path, headers=headers)
        assert second.json()["data"]["id"] == first.json()["data"]["id"]
        assert second.headers["idempotent-replayed"] == "true"
        assert second.headers["preference-applied"] == "wait=1"


class TestAnotherRequest:
    async def test_with_another_body_is_refused(self, user: User) -> None:
        await post(user, "k")
        _reused(await post(user, "k", content={**TWO_STOPS, "seed": 2}))
        assert await jobs_of(user) == 1

    async def test_to_another_path_is_refused(self, user: User) -> None:
        await post(user, "k")
        _reused(await post(user, "k", f"/api/v1/users/{user.id}/routes"))

    async def test_to_retry_another_job_is_refused(self, user: User, lab: Lab) -> None:
        one, other = Errands(lab, user.id).done(), Errands(lab, user.id).done()
        assert (await post(user, "k", url(one, "/retry"))).status_code == 202
        assert (await post(user, "k", url(one, "/retry"))).headers["idempotent-replayed"] == "true"
        _reused(await post(user, "k", url(other, "/retry")))


class TestTheKey:
    @pytest.mark.parametrize("key", ["", "k" * 256])
    async def test_of_a_wrong_length_is_refused(self, user: User, key: str) -> None:
        answer = await post(user, key)
        assert answer.status_code == 422, answer.text
        assert list(answer.json()["field_errors"]) == ["Idempotency-Key"]

    @pytest.mark.parametrize(
        "key",
        ["x", "k" * 255, "8e03978e-40d5-43e8-bc93-6894a57f9324", '"quoted"', "a key; with=all"],
    )
    async def test_is_opaque(self, user: User, key: str) -> None:
        first, second = await post(user, key), await post(user, key)
        assert first.status_code == 202
        assert second.headers["idempotent-replayed"] == "true"


def _reused(answer: httpx2.Response) -> None:
    assert answer.status_code == 422, answer.text
    assert answer.json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"

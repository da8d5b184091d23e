"""`supersedes` over HTTP: a new plan of the same trip cancels the older one."""

from __future__ import annotations

from typing import Any

import pytest

from tests import sse
from tests.api.test_trip_planning import ROUTES
from tests.conftest import User
from tests.tasks.plan_route.bodies import body, stop
from tests.trips import Trips

pytestmark = pytest.mark.usefixtures("held")

TWO_STOPS = body(stop("a"), stop("b"))


async def submit(user: User, content: dict[str, Any], **headers: str) -> Any:
    answer = await user.http.post(ROUTES, json=content, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]


async def read(user: User, job: Any) -> Any:
    return (await user.http.get(job["links"]["self"])).json()["data"]


class TestANewPlan:
    async def test_takes_the_place_of_the_older_one(self, user: User) -> None:
        old = await submit(user, {**TWO_STOPS, "tags": ["home"]})
        new = await submit(user, {**TWO_STOPS, "supersedes": "home"})
        assert (new["status"], new["tags"], new["superseded_by"]) == ("queued", ["home"], None)
        assert new["input"]["supersedes"] == "home"
        before = await read(user, old)
        assert (before["status"], before["superseded_by"]) == ("cancelled", new["id"])
        assert before["cancel_requested_at"] is not None

    async def test_of_a_trip_does_likewise(self, user: User) -> None:
        trip_id = await Trips(user).make_plannable("Taree", "Gosford")
        asked = {"trip_id": trip_id, "supersedes": f"trip:{trip_id}"}
        old, new = await submit(user, asked), await submit(user, asked)
        assert (await read(user, old))["superseded_by"] == new["id"]
        assert new["tags"] == [f"trip:{trip_id}"]

    async def test_is_named_in_the_last_event_of_the_older_one(self, user: User) -> None:
        old = await submit(user, {**TWO_STOPS, "tags": ["home"]})
        new = await submit(user, {**TWO_STOPS, "supersedes": "home"})
        last = (await sse.whole(user.http, old["links"]["events"]))[-1]
        assert (last.event, last.data["superseded_by"]) == ("job.cancelled", new["id"])
        assert last.data["job"]["superseded_by"] == new["id"]

    async def test_that_is_refused_cancels_nothing(self, user: User) -> None:
        old = await submit(user, {**TWO_STOPS, "tags": ["home"]})
        absent = {"trip_id": "0199a000-0000-7000-8000-000000000000", "supersedes": "home"}
        assert (await user.http.post(ROUTES, json=absent)).status_code == 404
        assert (await read(user, old))["status"] == "queued"

    async def test_sent_twice_with_a_key_is_sent_once(self, user: User) -> None:
        asked = {**TWO_STOPS, "supersedes": "home"}
        first = await submit(user, asked, **{"Idempotency-Key": "k"})
        again = await submit(user, asked, **{"Idempotency-Key": "k"})
        assert (again["id"], again["status"]) == (first["id"], "queued")

    async def test_without_it_says_nothing_of_it_in_its_input(self, user: User) -> None:
        """Workers of the release before refuse fields that they do not know."""
        assert "supersedes" not in (await submit(user, TWO_STOPS))["input"]

    @pytest.mark.parametrize("tag", ["", "x" * 101, 7, "\n"])
    async def test_wants_a_tag(self, user: User, tag: Any) -> None:
        answer = await user.http.post(ROUTES, json={**TWO_STOPS, "supersedes": tag})
        assert answer.status_code == 422
        assert list(answer.json()["field_errors"]) == ["supersedes"]

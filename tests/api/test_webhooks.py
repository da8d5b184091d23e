"""Webhooks over HTTP: what is asked, refused, shown once, and never shown to others."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.errands import soon
from tests.fakes.receiver import Receiver, receiver
from tests.stack import Child, Stores

URL = "http://127.0.0.1:9/hook"
PATH = "/api/v1/webhooks"


async def make(user: User, **body: Any) -> dict[str, Any]:
    answer = await user.http.post(PATH, json={"url": URL, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


class TestAWebhook:
    async def test_is_made_with_a_secret_that_is_shown_once(
        self, user: User, stores: Stores
    ) -> None:
        answer = await user.http.post(PATH, json={"url": URL, "description": "CRM"})
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        made = answer.json()["data"]
        assert answer.headers["location"] == f"{PATH}/{made['id']}"
        secret = made.pop("secret")
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        assert made["events"] == ["job.succeeded", "job.failed", "job.cancelled", "job.expired"]
        read = await user.http.get(f"{PATH}/{made['id']}")
        assert read.json()["data"] == made
        assert secret not in (await user.http.get(PATH)).text
        stored = stores.one("SELECT secret FROM webhook_endpoints WHERE id = %s", made["id"])
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        assert secret.encode() not in stored
        assert raw not in stored

    async def test_is_changed_field_by_field(self, user: User) -> None:
        made = await make(user, tags=["trip:1"])
        path = f"{PATH}/{made['id']}"
        changed = await user.http.patch(
            path, json={"enabled": False, "tags": None}, headers={"If-Match": '"1"'}
        )
        data = changed.json()["data"]
        assert (data["enabled"], data["tags"], data["version"]) == (False, [], 2)
        assert changed.headers["etag"] == '"2"'
        late = await user.http.patch(path, json={"enabled": True}, headers={"If-Match": '"1"'})
        assert late.status_code == 412
        same = await user.http.get(path, headers={"If-None-Match": '"2"'})
        assert same.status_code == 304

    async def test_is_deleted(self, user: User) -> None:
        made = await make(user)
        assert (await user.http.delete(f"{PATH}/{made['id']}")).status_code == 204
        gone = await user.http.get(f"{PATH}/{made['id']}")
        assert (gone.status_code, gone.json()["error_code"]) == (404, "WEBHOOK_NOT_FOUND")

    async def test_gets_a_new_secret_beside_the_old_one(self, user: User) -> None:
        made = await make(user)
        answer = await user.http.post(f"{PATH}/{made['id']}/rotate")
        rotated = answer.json()["data"]
        assert answer.headers["cache-control"] == "no-store"
        assert rotated["secret"] != made["secret"]
        assert rotated["old_secret_until"] is not None

    async def test_is_one_of_a_few(self, make_app: MakeApp, running: Running, user: User) -> None:
        headers = dict(user.http.headers)
        async with running(make_app(max_webhooks=1)) as client:
            statuses = [
                (await client.post(PATH, json={"url": URL}, headers=headers)).status_code
                for _ in range(2)
            ]
        assert statuses == [201, 409]

    async def test_needs_a_lasting_key(
        self, make_app: MakeApp, running: Running, stores: Stores, user: User
    ) -> None:
        app = make_app()
        async with running(app) as client:
            services = app.state.services
            services.settings = services.settings.model_copy(update={"jwt_private_key_file": None})
            answer = await client.post(PATH, json={"url": URL}, headers=dict(user.http.headers))
        assert (answer.status_code, answer.json()["error_code"]) == (503, "WEBHOOKS_NOT_CONFIGURED")


class TestARefusal:
    async def test_names_every_wrong_field(self, user: User) -> None:
        body = {"url": "ftp://x", "events": ["job.progress"], "kinds": ["nonsense"], "secret": "x"}
        answer = await user.http.post(PATH, json=body)
        assert answer.status_code == 422
        assert set(answer.json()["field_errors"]) == {"url", "events.0", "kinds.0", "secret"}

    @pytest.mark.parametrize(
        "url",
        [
            *("http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/"),
            *("https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "https://0x7f.1/"),
            *("https://[::ffff:169.254.169.254]/", "https://[64:ff9b::a9fe:a9fe]/"),
            *("https://8.8.8.8:22/", "https://2130706433/", "https://me:pw@8.8.8.8/"),
        ],
    )
    async def test_of_an_address_inside(
        self, url: str, make_app: MakeApp, running: Running, user: User
    ) -> None:
        headers = dict(user.http.headers)
        made = await make(user)
        async with running(make_app(webhooks_allow_loopback=False)) as client:
            created = await client.post(PATH, json={"url": url}, headers=headers)
            patch = {"url": url}
            changed = await client.patch(f"{PATH}/{made['id']}", json=patch, headers=headers)
        for answer in (created, changed):
            assert answer.status_code == 422, answer.text
            assert set(answer.json()["field_errors"]) == {"url"}

    async def test_of_a_public_address_is_none(
        self, make_app: MakeApp, running: Running, user: User
    ) -> None:
        async with running(make_app(webhooks_allow_loopback=False)) as client:
            body = {"url": "https://8.8.8.8/hook"}
            answer = await client.post(PATH, json=body, headers=dict(user.http.headers))
        assert answer.status_code == 201

    async def test_of_what_is_anothers_or_not_there(self, user: User, sign_up: Any) -> None:
        made, stranger = await make(user), await sign_up()
        ping = await user.http.post(f"{PATH}/{made['id']}/ping")
        delivery = ping.json()["data"]["id"]
        own = await make(stranger)
        paths = [f"{made['id']}/deliveries/{delivery}", f"{own['id']}/deliveries/{delivery}"]
        for path in paths:
            assert (await stranger.http.get(f"{PATH}/{path}")).status_code == 404
            assert (await stranger.http.post(f"{PATH}/{path}/replay")).status_code == 404
        absent = await user.http.get(f"{PATH}/{made['id']}/deliveries/{uuid4()}")
        assert absent.json()["error_code"] == "DELIVERY_NOT_FOUND"


class TestDeliveries:
    async def test_are_accepted_and_logged(self, user: User) -> None:
        made = await make(user)
        answer = await user.http.post(f"{PATH}/{made['id']}/ping")
        assert answer.status_code == 202
        data = answer.json()["data"]
        assert answer.headers["location"] == f"{PATH}/{made['id']}/deliveries/{data['id']}"
        assert (data["type"], data["status"], data["attempts"]) == ("webhook.ping", "pending", 0)
        assert (data["job_id"], data["payload"], data["history"]) == (None, None, [])
        listed = (await user.http.get(f"{PATH}/{made['id']}/deliveries")).json()
        assert [each["id"] for each in listed["data"]] == [data["id"]]
        assert (listed["total"], listed["next_cursor"]) == (1, None)

    async def test_of_a_disabled_webhook_are_refused(self, user: User) -> None:
        made = await make(user, enabled=False)
        answer = await user.http.post(f"{PATH}/{made['id']}/ping")
        assert (answer.status_code, answer.json()["error_code"]) == (409, "WEBHOOK_DISABLED")

    async def test_are_made_once_with_a_key(self, user: User) -> None:
        made = await make(user)
        headers = {"Idempotency-Key": "once"}
        first = await user.http.post(f"{PATH}/{made['id']}/ping", headers=headers)
        again = await user.http.post(f"{PATH}/{made['id']}/ping", headers=headers)
        assert first.json()["data"]["id"] == again.json()["data"]["id"]
        assert again.headers["idempotent-replayed"] == "true"

    async def test_are_read_to_their_end_by_cursor(self, user: User) -> None:
        made = await make(user)
        path = f"{PATH}/{made['id']}/deliveries"
        pings = [(await user.http.post(f"{PATH}/{made['id']}/ping")).json() for _ in range(5)]
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            params = {"page_size": "2", **cursor}
            part = (await user.http.get(path, params=params)).json()
            seen += [each["id"] for each in part["data"]]
            assert part["total"] == 5
            if part["next_cursor"] is None:
                break
            cursor = {"after": part["next_cursor"]}
        assert seen == [ping["data"]["id"] for ping in reversed(pings)]
        wrong = await user.http.get(path, params={"after": "nonsense"})
        assert wrong.json()["field_errors"].keys() == {"after"}
        none = await user.http.get(path, params={"status": "failed"})
        assert none.json()["data"] == []

    @pytest.mark.usefixtures("held")
    async def test_tell_of_a_job_cancelled_over_http(self, user: User) -> None:
        made = await make(user)
        trip = {
            "start": {"name": "Sydney", "lat": -33.87, "lon": 151.21},
            "end": "start",
            "stops": [
                {"id": "a", "name": "Orange", "lat": -33.28, "lon": 149.1},
                {"id": "b", "name": "Dubbo", "lat": -32.24, "lon": 148.6},
            ],
            "depart_at": "2026-03-01T08:00:00+11:00",
        }
        job = (await user.http.post("/api/v1/routes", json=trip)).json()["data"]
        await user.http.post(f"/api/v1/jobs/{job['id']}/cancel")
        listed = (await user.http.get(f"{PATH}/{made['id']}/deliveries")).json()["data"]
        assert [(each["type"], each["job_id"]) for each in listed] == [("job.cancelled", job["id"])]
        jobs = (await user.http.get("/api/v1/jobs")).json()
        assert {each["kind"] for each in jobs["data"]} == {"plan_route"}


class TestTheWholeWay:
    async def test_from_a_ping_to_a_verified_request(
        self, user: User, endpoint: Receiver, io_worker: Child, stores: Stores
    ) -> None:
        made = await make(user, url=endpoint.url())
        ping = (await user.http.post(f"{PATH}/{made['id']}/ping")).json()["data"]
        await soon(lambda: endpoint.got)
        assert endpoint.got[0].verified_by(made["secret"])
        path = f"{PATH}/{made['id']}/deliveries/{ping['id']}"

        status = "SELECT status = 'succeeded' FROM webhook_deliveries WHERE id = %s"
        await soon(lambda: stores.one(status, ping["id"]))
        shown = (await user.http.get(path)).json()["data"]
        assert (shown["status"], shown["status_code"], shown["attempts"]) == ("succeeded", 204, 1)
        assert shown["payload"]["type"] == "webhook.ping"
        replay = await user.http.post(f"{path}/replay")
        assert replay.status_code == 202
        await soon(lambda: len(endpoint.got) == 2)
        assert endpoint.got[0].id == endpoint.got[1].id == ping["message_id"]

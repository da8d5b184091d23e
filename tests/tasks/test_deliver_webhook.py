"""Messages as receivers get them: from the event of a job to a verified request on a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from core.ids import new_id
from models.job import Status
from services.jobs import settle
from services.webhooks import deliveries, endpoints
from services.webhooks.payload import BODY_MAX
from services.webhooks.vault import Vault
from tasks.deliver_webhook.delivery import deliver
from tests.artifacts import make_artifact
from tests.fakes.receiver import Receiver, receiver
from tests.lab import DAYS, Lab, in_this_process
from tests.stack import Stores


@pytest.fixture
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    with in_this_process(made):
        yield made
    made.close()


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


class Hook:
    """A user's endpoint and what waits for it."""

    def __init__(self, lab: Lab, url: str, *events: str) -> None:
        self.lab, self.owner, self.id = lab, lab.make_user(), new_id()
        self.vault = Vault.from_settings(lab.settings)
        columns: dict[str, Any] = {
            "url": url,
            "description": "",
            "enabled": True,
            "kinds": [],
            "tags": [],
            "events": list(events or ["job.succeeded"]),
        }
        self.secret = lab.as_owner(
            self.owner, endpoints.create(self.owner, self.id, columns, self.vault, most=9)
        )

    def job(self, result: dict[str, Any] | None = None, **request: Any) -> UUID:
        """A job that has succeeded."""
        job_id = self.lab.submit(self.owner, **request).job_id
        claimed = self.lab.claim(job_id)
        assert claimed is not None
        steps = settle.settle(
            job_id, claimed.fence, Status.SUCCEEDED, keep_days=DAYS, result=result or {"steps": 1}
        )
        assert self.lab.as_owner(self.owner, steps)
        return job_id

    def ping(self) -> deliveries.DeliveryView:
        return self.lab.as_owner(self.owner, deliveries.ping(self.owner, self.id))[0]

    def log(self) -> list[deliveries.DeliveryView]:
        """Oldest first."""
        steps = deliveries.page(self.owner, self.id, deliveries.Filter(), limit=100)
        return self.lab.as_owner(self.owner, steps)[0][::-1]

    def rotate(self) -> str:
        return self.lab.as_owner(self.owner, endpoints.rotate(self.owner, self.id, self.vault))[0]

    def past(self, table: str, column: str, seconds: int = 1) -> None:
        """Let time have passed."""
        key = "id" if table == "webhook_endpoints" else "endpoint_id"
        with self.lab.stores.sql() as connection:
            connection.execute(
                f"UPDATE {table} SET {column} = now() - make_interval(secs => %s) WHERE {key} = %s",
                (seconds, self.id),
            )


class TestAMessage:
    def test_tells_of_the_job_and_verifies(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url())
        job_id = hook.job(tags=["trip:1"])
        (waiting,) = hook.log()
        assert deliver(waiting.id, 0) == "delivered"
        (got,) = endpoint.got
        assert got.verified_by(hook.secret)
        assert got.id == f"msg_{job_id.hex}_3"
        assert (got.json["type"], got.json["seq"]) == ("job.succeeded", 3)
        assert got.json["timestamp"].endswith("Z")
        job = got.json["data"]
        assert (job["id"], job["status"], job["seq"]) == (str(job_id), "succeeded", 3)
        assert (job["tags"], job["result"]) == (["trip:1"], {"steps": 1})
        assert len(got.headers["webhook-signature"].split(" ")) == 1
        (done,) = hook.log()
        assert (done.status, done.attempts, done.due_at) == ("succeeded", 1, None)

    def test_is_sent_once_however_often_it_is_asked_for(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url())
        one = hook.ping()
        assert deliver(one.id, 0) == "delivered"
        assert deliver(one.id, 0) == "not there to take"
        assert deliver(one.id, 1) == "not there to take"
        assert len(endpoint.got) == 1

    def test_is_sent_again_with_the_same_id_and_body(self, lab: Lab, endpoint: Receiver) -> None:
        endpoint.answers = [500]
        hook = Hook(lab, endpoint.url(), "job.started", "job.succeeded")
        hook.job()
        started = hook.log()[0]
        assert deliver(started.id, 0) == "failed"
        assert deliver(started.id, 1) == "not there to take"  # 5 s have not passed
        hook.past("webhook_deliveries", "due_at")
        assert deliver(started.id, 1) == "delivered"
        first, second = endpoint.got
        assert (first.id, first.body) == (second.id, second.body)
        assert second.verified_by(hook.secret)
        done = hook.log()[0]
        assert [each["status"] for each in done.log] == [500, 204]

    def test_stays_under_20_kb_and_says_what_it_left_out(
        self, lab: Lab, endpoint: Receiver
    ) -> None:
        hook = Hook(lab, endpoint.url())
        hook.job(result={"text": "ä" * 15_000})
        deliver(hook.log()[0].id, 0)
        (got,) = endpoint.got
        assert len(got.body) < BODY_MAX
        assert got.verified_by(hook.secret)
        job = got.json["data"]
        assert (job["result"], job["result_size_bytes"] > 15_000) == (None, True)

    def test_of_an_artifact_names_it(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url(), "job.artifact")
        artifact = make_artifact(hook.owner)
        (waiting,) = hook.log()
        assert deliver(waiting.id, 0) == "delivered"
        assert endpoint.got[0].json["artifact"]["id"] == str(artifact)

    def test_of_a_ping_tells_of_no_job(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url())
        one = hook.ping()
        assert deliver(one.id, 0) == "delivered"
        (got,) = endpoint.got
        assert got.json["type"] == "webhook.ping"
        assert got.json["data"] == {"webhook_id": str(hook.id)}
        assert got.id == one.message_id

    def test_replayed_is_the_same(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url())
        hook.job()
        (one,) = hook.log()
        deliver(one.id, 0)
        replayed = lab.as_owner(hook.owner, deliveries.replay(hook.owner, hook.id, one.id))
        assert deliver(one.id, replayed.attempts) == "delivered"
        first, second = endpoint.got
        assert (first.id, first.body) == (second.id, second.body)

    def test_raises_no_event_and_counts_as_no_job(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url(), "job.started", "job.succeeded", "job.failed")
        job_id = hook.job()
        for waiting in hook.log():
            deliver(waiting.id, 0)
        assert lab.stores.one("SELECT count(*) FROM jobs WHERE owner_id = %s", hook.owner) == 1
        assert lab.events(job_id) == ["job.queued", "job.started", "job.succeeded"]
        assert len(hook.log()) == 2


class TestRotation:
    def test_signs_with_both_secrets_for_a_day(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url())
        new = hook.rotate()
        deliver(hook.ping().id, 0)
        hook.past("webhook_endpoints", "old_secret_until")
        deliver(hook.ping().id, 0)
        during, after = endpoint.got
        assert during.verified_by(hook.secret)
        assert during.verified_by(new)
        assert not after.verified_by(hook.secret)
        assert after.verified_by(new)

    def test_lasts_24_hours(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url())
        hook.rotate()
        until = lab.stores.one(
            "SELECT extract(epoch FROM old_secret_until - now())::float8 FROM webhook_endpoints"
            " WHERE id = %s",
            hook.id,
        )
        assert 86_300 < until <= 86_400

    def test_of_our_own_key_is_said_and_not_sent(self, lab: Lab, endpoint: Receiver) -> None:
        hook = Hook(lab, endpoint.url())
        with lab.stores.sql() as connection:
            connection.execute(
                "UPDATE webhook_endpoints SET secret = %s WHERE id = %s", (b"x" * 80, hook.id)
            )
        one = hook.ping()
        assert deliver(one.id, 0) == "failed"
        assert "rotate the secret" in hook.log()[0].log[0]["error"]
        assert endpoint.got == []


class TestAnEnd:
    def test_of_410_disables_the_endpoint(self, lab: Lab, endpoint: Receiver) -> None:
        endpoint.answers = [410]
        hook = Hook(lab, endpoint.url())
        first, second = hook.ping(), hook.ping()
        assert deliver(first.id, 0) == "failed"
        assert deliver(second.id, 0) == "not there to take"
        view = lab.as_owner(hook.owner, endpoints.read(hook.owner, hook.id))
        assert (view.enabled, view.disabled_reason, view.version) == (False, "GONE", 2)
        hook.job()
        assert len(hook.log()) == 2  # what happens while it is off is not told

    def test_of_a_job_that_is_gone_is_no_fault_of_the_endpoint(
        self, lab: Lab, endpoint: Receiver
    ) -> None:
        hook = Hook(lab, endpoint.url())
        job_id = hook.job()
        with lab.stores.sql() as connection:
            connection.execute("DELETE FROM jobs WHERE id = %s", (job_id,))
        (waiting,) = hook.log()
        assert deliver(waiting.id, 0) == "failed"
        assert hook.log()[0].status == "failed"
        assert endpoint.got == []
        assert lab.stores.one("SELECT exhausted FROM webhook_endpoints WHERE id = %s", hook.id) == 0

    def test_says_why_without_a_word_of_ours(self, lab: Lab) -> None:
        hook = Hook(lab, "http://10.0.0.1/hook")
        one = hook.ping()
        assert deliver(one.id, 0) == "failed"
        (entry,) = hook.log()[0].log
        assert entry["error"] == "leads to an address that is not public"
        assert json.dumps(entry).count("10.0.0.1") == 0

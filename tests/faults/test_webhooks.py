"""A message in the hands of a worker that dies is sent again, with its own id."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.ids import new_id
from services.webhooks import endpoints
from services.webhooks.vault import Vault
from tests.fakes.receiver import Receiver, receiver
from tests.faults.conftest import Floor
from tests.stack import until


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def test_a_worker_killed_while_it_delivers_is_followed_by_another(
    floor: Floor, endpoint: Receiver
) -> None:
    hook = new_id()
    columns = {
        "url": endpoint.url(),
        "description": "",
        "enabled": True,
        "kinds": [],
        "tags": [],
        "events": ["job.succeeded"],
    }
    vault = Vault.from_settings(floor.lab.settings)
    steps = endpoints.create(floor.owner, hook, columns, vault, most=9)
    secret = floor.lab.as_owner(floor.owner, steps)
    endpoint.answers = [endpoint.hold]
    floor.housekeeping()
    postman = floor.worker("io", slots=2)
    floor.worker()
    (job_id,) = floor.submit()
    until(lambda: endpoint.got)
    postman.kill()
    # its successor enters under its name, so that nobody waits for the lease to end
    postman.start()
    until(lambda: len(endpoint.got) == 2)
    first, second = endpoint.got
    assert first.id == second.id == f"msg_{job_id.hex}_{first.json['seq']}"
    assert first.body == second.body
    assert second.verified_by(secret)
    until(
        lambda: floor.stores.one(
            "SELECT status = 'succeeded' AND attempts = 2 FROM webhook_deliveries"
            " WHERE endpoint_id = %s",
            hook,
        )
    )
    floor.ended()
    floor.check()

"""Endpoints of a user, written and read without HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from core.ids import new_id
from services.webhooks import attempts, endpoints
from services.webhooks.attempts import Delivery
from services.webhooks.dispatch import admit_deliveries
from services.webhooks.sender import Answer
from services.webhooks.vault import Vault
from tests.lab import Lab

ALL_EVENTS = [
    *("job.started", "job.artifact", "job.succeeded", "job.failed", "job.cancelled"),
    "job.expired",
]


class Desk:
    """Makes endpoints, and takes and ends their deliveries by hand."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.vault = Vault.from_settings(lab.settings)

    def endpoint(self, owner: UUID, **columns: Any) -> UUID:
        endpoint_id = new_id()
        values = {
            "url": "http://127.0.0.1:9/hook",
            "description": "",
            "enabled": True,
            "events": ALL_EVENTS,
            "kinds": [],
            "tags": [],
            **columns,
        }
        steps = endpoints.create(owner, endpoint_id, values, self.vault, most=20)
        self.lab.as_owner(owner, steps)
        return endpoint_id

    def rows(self, endpoint_id: UUID, columns: str = "type") -> list[Any]:
        with self.lab.stores.sql() as connection:
            found = connection.execute(
                f"SELECT {columns} FROM webhook_deliveries WHERE endpoint_id = %s"
                " ORDER BY created_at, id",
                (endpoint_id,),
            ).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def state(self, endpoint_id: UUID) -> Any:
        """enabled, disabled_reason, failures, exhausted, seconds of rest."""
        with self.lab.stores.sql() as connection:
            return connection.execute(
                "SELECT enabled, disabled_reason, failures, exhausted,"
                " extract(epoch FROM rest_until - now())::float8"
                " FROM webhook_endpoints WHERE id = %s",
                (endpoint_id,),
            ).fetchone()

    def admitted(self) -> list[UUID]:
        return [message.job_id for message in self.lab.as_engine(admit_deliveries())]

    def claim(self, delivery_id: UUID, attempt: int = 0, lease_s: float = 60) -> Delivery | None:
        steps = attempts.claim(delivery_id, attempt, worker_id=self.lab.worker_id, lease_s=lease_s)
        return self.lab.as_engine(steps)

    def attempt(self, delivery_id: UUID, status: int, attempt: int = 0) -> None:
        """One attempt that is answered so; what stands between it and now is skipped."""
        self.due(delivery_id)
        delivery = self.claim(delivery_id, attempt)
        assert delivery is not None
        assert self.lab.as_engine(attempts.end(delivery, Answer(status, None, 5)))

    def due(self, delivery_id: UUID) -> None:
        with self.lab.stores.sql() as connection:
            connection.execute(
                "UPDATE webhook_deliveries SET due_at = now() WHERE id = %s AND due_at > now()",
                (delivery_id,),
            )

    def deliver(self, owner: UUID, endpoint_id: UUID, n: int = 1) -> list[UUID]:
        """Deliveries that wait, oldest first."""
        made: list[UUID] = []
        with self.lab.app.transaction(owner) as session:
            for _ in range(n):
                row = session.connection().exec_driver_sql(
                    "INSERT INTO webhook_deliveries (owner_id, endpoint_id, type, event_at)"
                    " VALUES (%s, %s, 'webhook.ping', now()) RETURNING id",
                    (owner, endpoint_id),
                )
                made.append(row.scalar_one())
        return made


@pytest.fixture
def desk(lab: Lab) -> Desk:
    with lab.stores.sql() as connection:
        connection.execute("DELETE FROM webhook_endpoints; DELETE FROM webhook_deliveries")
    return Desk(lab)

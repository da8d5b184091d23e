"""Which moves a job may make: the table in the code, and the trigger in the database."""

from __future__ import annotations

import itertools
from uuid import UUID

import psycopg
import pytest

from models.job import LEGAL_MOVES, TERMINAL, Status
from tests.lab import Lab


def put(lab: Lab, job_id: UUID, status: Status) -> None:
    """Bring a job into a status, past the trigger."""
    with lab.stores.sql() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE jobs SET status = %s, finished_at = CASE WHEN %s THEN now() END WHERE id = %s",
            (status.value, status in TERMINAL, job_id),
        )


def move(lab: Lab, job_id: UUID, status: Status) -> None:
    """What anybody with SQL might try."""
    with lab.stores.sql() as connection:
        connection.execute(
            "UPDATE jobs SET status = %s, finished_at = CASE WHEN %s THEN now() END WHERE id = %s",
            (status.value, status in TERMINAL, job_id),
        )


class TestTheDatabaseAgrees:
    def test_on_every_pair_of_statuses(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        for old, new in itertools.permutations(Status, 2):
            put(lab, job_id, old)
            if new in LEGAL_MOVES[old]:
                move(lab, job_id, new)
                assert lab.status(job_id) == new
            else:
                with pytest.raises(psycopg.errors.CheckViolation):
                    move(lab, job_id, new)
                assert lab.status(job_id) == old

    def test_an_ended_log_does_not_grow(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        put(lab, job_id, Status.SUCCEEDED)
        with lab.stores.sql() as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE jobs SET seq = seq + 1 WHERE id = %s", (job_id,))

    def test_a_log_does_not_shrink(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        with lab.stores.sql() as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE jobs SET seq = 0 WHERE id = %s", (job_id,))

    def test_a_terminal_status_needs_an_end(self, lab: Lab, owner: UUID) -> None:
        job_id = lab.submit(owner).job_id
        with lab.stores.sql() as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE jobs SET status = 'cancelled' WHERE id = %s", (job_id,))

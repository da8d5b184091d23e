"""What a transaction may hold up, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.database import Limits, store_is_away
from tests.lab import Lab
from tests.stack import Stores, until


@pytest.fixture
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


class TestATransactionThatFallsSilent:
    def test_lets_go_of_its_rows_and_may_be_tried_again(self, lab: Lab) -> None:
        """A worker frozen or cut off between two statements must not keep a job from rescue."""
        job_id = lab.submit(lab.make_user()).job_id
        free = "SELECT count(*) FROM (SELECT FROM jobs WHERE id = %s FOR UPDATE SKIP LOCKED) rows"
        lock = text("SELECT FROM jobs WHERE id = :id FOR UPDATE")
        again = text("SELECT 1")

        def fall_silent() -> None:
            with lab.engine.transaction() as session:
                session.execute(lock, {"id": job_id})
                assert lab.stores.one(free, job_id) == 0
                until(lambda: lab.stores.one(free, job_id) == 1, Limits().idle_s + 5, 0.1)
                session.execute(again)

        with pytest.raises(DBAPIError) as refused:
            fall_silent()
        assert store_is_away(refused.value)
        with lab.engine.transaction() as session:
            assert session.scalar(again) == 1

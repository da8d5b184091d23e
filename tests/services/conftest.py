"""A lab for the tests of the job layer, with an empty queue."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests import stack
from tests.lab import Lab
from tests.stack import Stores


@pytest.fixture(scope="session")
def queue(stores: Stores) -> Iterator[Stores]:
    """Stores apart from the shared ones, whose workers would be deleted under the other tests."""
    del stores  # only asked for so that the settings of this process are theirs
    with stack.stores() as made:
        yield made


@pytest.fixture
def lab(queue: Stores) -> Iterator[Lab]:
    with queue.sql() as connection:
        connection.execute("DELETE FROM jobs; DELETE FROM workers; DELETE FROM idempotency_keys")
    made = Lab(queue)
    yield made
    made.close()


@pytest.fixture
def owner(lab: Lab) -> UUID:
    return lab.make_user()

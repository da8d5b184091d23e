"""A lab beside the shared stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.stack import Stores


@pytest.fixture(scope="module")
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()

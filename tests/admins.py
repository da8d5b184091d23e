"""Making an admin, as `python -m local.admin` does."""

from __future__ import annotations

from tests.conftest import User
from tests.stack import Stores


def promote(stores: Stores, user: User) -> None:
    """Their access tokens stay what they were: the row decides."""
    with stores.sql() as connection:
        connection.execute("UPDATE users SET role = 'admin' WHERE id = %s", (user.id,))

"""`python -m local.admin`: who becomes an admin, and that it is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.admin import NoDatabase, owner_address, set_role
from local.postgres import OWNER
from tests.conftest import User
from tests.stack import Stores


class TestTheRole:
    async def test_is_set_taken_back_and_recorded(self, stores: Stores, user: User) -> None:
        address = stores.env()["DATABASE_URL"]
        for role, status in (("admin", 200), ("user", 403)):
            assert set_role(address, f" {user.email.upper()} ", role)
            assert (await user.http.get("/api/v1/admin/workers")).status_code == status
        query = "SELECT count(*) FROM admin_actions WHERE action = 'role.set' AND target = %s"
        assert stores.one(query, user.id) == 2

    def test_of_nobody_is_not_set(self, stores: Stores) -> None:
        assert not set_role(stores.env()["DATABASE_URL"], "nobody-at-all@example.com", "admin")


class TestTheDatabase:
    def test_is_the_one_that_is_set(self) -> None:
        env = {"DATABASE_URL": "postgres://pooled/x", "DIRECT_DATABASE_URL": ""}
        assert owner_address(env) == "postgresql://pooled/x"
        env["DIRECT_DATABASE_URL"] = "postgresql+asyncpg://direct/x"
        assert owner_address(env) == "postgresql://direct/x"

    def test_or_that_of_the_stack(self, tmp_path: Path) -> None:
        with pytest.raises(NoDatabase):
            owner_address({"DATA_DIR": str(tmp_path)})
        (tmp_path / "secrets.json").write_text(json.dumps({OWNER: "secret"}))
        (tmp_path / "ports.json").write_text(json.dumps({"postgres": 4321}))
        address = owner_address({"DATA_DIR": str(tmp_path)})
        assert address == "postgresql://wheels_owner:secret@127.0.0.1:4321/wheels"

"""A worker dies while it takes a receipt: nothing is half, and the next attempt takes it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from PIL import Image

from core.settings import get_settings
from services.artifacts.store import RECEIPTS as SHARE
from services.artifacts.store import SHARDS
from services.receipts import storing
from tests import receipts
from tests.conftest import User
from tests.lab import Lab
from tests.stack import Child, Stores, until
from tests.workers.test_sweeping import aged
from workers.sweeping import Sweeper


def stored() -> dict[str, Path]:
    """All bytes of receipts, by key."""
    root = Path(get_settings().data_dir) / "artifacts"
    found = (root / SHARE).glob("??/*")
    return {str(path.relative_to(root)): path for path in found}


def named(stores: Stores) -> set[str]:
    with stores.sql() as sql:
        return {row[0] for row in sql.execute("SELECT location FROM receipt_files")}


def sweep_in_two_hours() -> None:
    for path in stored().values():
        aged(path, 2)
    sweeper = Sweeper(get_settings(), threading.Event())
    sweeper.round(len(SHARDS))
    sweeper.close()


def _confined(worker: Child) -> psutil.Process | None:
    """The process that looks at an original."""
    for each in psutil.Process(worker.process.pid).children(recursive=True):
        try:
            if "tasks.confined" in each.cmdline():
                return each
        except psutil.NoSuchProcess:
            continue
    return None


@pytest.mark.usefixtures("housekeeper")
class TestAWorkerThatDies:
    async def test_leaves_nothing_half(
        self, user: User, stores: Stores, compute_worker: Child
    ) -> None:
        large = receipts.encoded(Image.effect_noise((4400, 4400), 60), "JPEG", quality=80)
        answer = await receipts.send(user, large)
        receipt = answer.json()["data"]
        child = until(lambda: _confined(compute_worker), every_s=0.002)
        os.kill(child.ppid(), signal.SIGKILL)
        address = receipt["links"]["self"]
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        give_up_at = time.monotonic() + 30
        while (read := await user.http.get(address)).json()["data"]["status"] == "processing":
            assert time.monotonic() < give_up_at
        assert read.json()["data"]["status"] == "ready"
        attempts = await user.http.get(f"{receipt['links']['job']}/attempts")
        assert [each["outcome"] for each in attempts.json()["data"]] == ["lost", "succeeded"]
        # two are its own now; the original and whatever the dead one stored go with the sweep
        own = stores.one("SELECT count(*) FROM receipt_files WHERE receipt_id = %s", receipt["id"])
        assert own == 2
        sweep_in_two_hours()
        assert set(stored()) == named(stores)


@pytest.fixture
def lab(stores: Stores) -> Iterator[Lab]:
    made = Lab(stores)
    yield made
    made.close()


class TestTheEndOfAReceipt:
    """Receipts of other tests may lie about, and a lifeline may end some of them: of ours alone
    is something said."""

    async def test_comes_a_while_after_it_was_deleted(
        self, user: User, stores: Stores, lab: Lab
    ) -> None:
        addresses = []
        for _ in range(3):
            sent = (await receipts.send(user)).json()["data"]
            receipts.take_here(UUID(user.id), UUID(sent["id"]))
            addresses.append(sent["links"]["self"])
        for address in addresses[:2]:
            await user.http.delete(address)
        with stores.sql() as sql:
            sql.execute(
                "UPDATE receipts SET deleted_at = now() - interval '31 days' WHERE id = %s",
                (addresses[0].rpartition("/")[2],),
            )
        lab.as_engine(storing.end(keep_days=30, batch=1000))
        restored = [(await user.http.post(f"{each}/restore")).status_code for each in addresses]
        assert restored == [404, 200, 200]
        files = "SELECT count(*) FROM receipt_files WHERE owner_id = %s"
        assert stores.one(files, user.id) == 4

    async def test_comes_when_it_never_began_and_its_job_is_forgotten(
        self, user: User, stores: Stores, lab: Lab
    ) -> None:
        sent = (await receipts.send(user)).json()["data"]
        with stores.sql() as sql:
            sql.execute(
                "UPDATE receipts SET created_at = now() - interval '31 days' WHERE id = %s",
                (sent["id"],),
            )
            lab.as_engine(storing.end(keep_days=30, batch=1000))
            assert (await user.http.get(sent["links"]["self"])).status_code == 200
            sql.execute("DELETE FROM jobs WHERE id = %s", (sent["job_id"],))
        lab.as_engine(storing.end(keep_days=30, batch=1000))
        assert (await user.http.get(sent["links"]["self"])).status_code == 404

    async def test_comes_with_its_owner(self, user: User, stores: Stores) -> None:
        spent = {"amount": "1", "currency": "AUD", "category": "fuel", "spent_on": "2026-01-14"}
        expense = (await user.http.post("/api/v1/expenses", json=spent)).json()["data"]
        answer = await receipts.send(user, expense_id=expense["id"])
        assert answer.json()["data"]["expense_id"] == expense["id"]
        with stores.sql() as sql:
            sql.execute("DELETE FROM users WHERE id = %s", (user.id,))
        for table in ("receipts", "receipt_files", "expenses"):
            count = f"SELECT count(*) FROM {table} WHERE owner_id = %s"
            assert stores.one(count, user.id) == 0

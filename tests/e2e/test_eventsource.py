"""A real EventSource client, as in a browser, follows a job across the death of the server."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import stack
from tests.conftest import User
from tests.errands import Errands, url
from tests.lab import Lab
from tests.stack import ApiChild, Stores, until

CLIENT = Path(__file__).parent / "eventsource"
NPM_SAYS_AWAY = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with its library, installed in a folder of its own."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"eventsource 4 needs node 20, this is {version.stdout.strip()}")
    folder = tmp_path_factory.mktemp("client")
    shutil.copytree(CLIENT, folder, dirs_exist_ok=True)
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in NPM_SAYS_AWAY):
        pytest.skip("the npm registry is not reachable")
    assert done.returncode == 0, done.stderr
    return folder


class Browser:
    """A running client, and what it has told so far."""

    def __init__(self, folder: Path, address: str, token: str) -> None:
        self.told: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            ["node", "follow.mjs", address, token], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    def saw(self, event: str) -> int:
        return sum(each.get("event") == event for each in self.told)

    def leave(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def watching(folder: Path, address: str, token: str) -> Iterator[Browser]:
    browser = Browser(folder, address, token)
    try:
        yield browser
    finally:
        browser.leave()


@pytest.fixture
def api(stores: Stores) -> Iterator[ApiChild]:
    child = ApiChild(stores)
    child.ready()
    yield child
    child.stop()


@pytest.fixture
def errands(stores: Stores, user: User) -> Iterator[Errands]:
    lab = Lab(stores)
    yield Errands(lab, user.id)
    lab.close()


class TestEventSource:
    @pytest.mark.parametrize("death", ["kill -9", "SIGTERM"])
    def test_sees_every_event_once_although_the_server_dies(
        self, client: Path, api: ApiChild, errands: Errands, user: User, death: str
    ) -> None:
        """What happens while nobody listens is told later, in order."""
        job_id = errands.submit()
        claimed = errands.claim(job_id)
        address = f"{api.url}{url(job_id, '/events')}"
        with watching(client, address, user.tokens["access_token"]) as browser:
            for n in range(20):
                errands.report(claimed, n / 100)
            until(lambda: browser.saw("job.progress") == 20)
            if death == "kill -9":
                api.kill()
            else:
                api.stop()
            for n in range(20, 40):
                errands.report(claimed, n / 100)
            api.start()
            until(lambda: browser.saw("job.progress") == 40)
            errands.report(claimed, 0.99)
            errands.succeed(claimed)
            # it comes back once more with the last id, and is told to stay away
            stack.until(lambda: browser.told[-1] == {"closed": 204}, 20)
            told = list(browser.told)
            assert browser.process.wait(5) == 0  # nothing is left to wait for

        ids = [each["id"] for each in told if each.get("id")]
        assert ids == [str(n) for n in range(1, len(ids) + 1)]
        assert [int(one) for one in ids] == [each["seq"] for each in told if each.get("id")]
        assert told[-2]["event"] == "job.succeeded"
        assert sum("open" in each for each in told) == 2
        assert browser.saw("job.snapshot") == 2

    def test_of_a_job_that_has_ended_comes_once(
        self, client: Path, api: ApiChild, errands: Errands, user: User
    ) -> None:
        address = f"{api.url}{url(errands.done(), '/events')}"
        with watching(client, address, user.tokens["access_token"]) as browser:
            until(lambda: browser.told and browser.told[-1] == {"closed": 204}, 20)
            assert sum("open" in each for each in browser.told) == 1
            assert browser.saw("job.succeeded") == 1

"""Processes from the nursery are what `python -m` would have made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nursery import Nursery
from tests.stack import ROOT

#: A module of the standard library that runs what it is told.
RUN = "timeit"
ONCE = ["-n", "1", "-r", "1"]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(ROOT)
    yield made
    made.close()


def test_a_process_has_its_own_settings_session_and_log(nursery: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    say = (
        "import os, sys, json; print(json.dumps([os.environ['OURS'], os.getsid(0), os.getpid(),"
        " 'HOME' in os.environ, os.getcwd(), sys.stdin.read()]))"
    )
    child = nursery.start(RUN, [*ONCE, say], {"OURS": "1"}, log)
    assert child.wait(20) == 0
    told = json.loads(log.read_text().splitlines()[0])
    assert told == ["1", child.pid, child.pid, False, str(ROOT), ""]


def test_ends_are_told_as_popen_tells_them(nursery: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    failed = nursery.start("json.tool", ["--no-such-option"], {}, log)
    slow = nursery.start(RUN, [*ONCE, "import time; time.sleep(60)"], {}, log)
    assert failed.wait(20) == 2
    assert slow.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        slow.wait(0.01)
    os.kill(slow.pid, signal.SIGKILL)
    assert slow.wait(20) == -signal.SIGKILL


def test_nothing_of_the_product_is_known_before(nursery: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    names = ["api", "core", "local", "models", "services", "tasks", "workers", "celeryconfig"]
    say = f"import sys; print([m for m in sys.modules if m.split('.')[0] in {names}])"
    nursery.start(RUN, [*ONCE, say], {}, log).wait(20)
    assert log.read_text().splitlines()[0] == "[]"


@pytest.mark.parametrize("module", ["api.app", "workers.app", "workers.housekeeping"])
def test_little_is_left_to_import(nursery: Nursery, module: str, tmp_path: Path) -> None:
    """Else the list of libraries has grown old."""
    log = tmp_path / "child.log"
    say = (
        f"import sys; before = set(sys.modules); import {module};"
        " new = {m.split('.')[0] for m in sys.modules} - {m.split('.')[0] for m in before};"
        " print([m for m in new if 'site-packages' in str(getattr(sys.modules[m],"
        " '__file__', ''))])"
    )
    child = nursery.start(RUN, [*ONCE, say], {}, log)
    assert child.wait(20) == 0, log.read_text()
    assert log.read_text().splitlines()[0] == "[]"


def test_what_it_started_outlives_it(tmp_path: Path) -> None:
    made = Nursery(ROOT)
    child = made.start(RUN, [*ONCE, "import time; time.sleep(60)"], {}, tmp_path / "child.log")
    made.close()
    os.kill(child.pid, signal.SIGKILL)  # raises where there is none

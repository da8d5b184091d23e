"""How many streams and other connections the process may hold."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from core.open_files import OPEN_FILES
from tests.stack import ROOT

START = """
import resource
from core.open_files import allow_many_files
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
allow_many_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize("hard", [OPEN_FILES // 2, OPEN_FILES + 1])
def test_is_raised_as_far_as_the_system_lets_us(hard: int) -> None:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < hard:
        pytest.skip("the system allows this process too few")
    command = [sys.executable, "-c", START.format(hard=hard)]
    found = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.split() == [str(min(hard, OPEN_FILES)), str(hard)]

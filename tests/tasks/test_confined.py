"""The process for other people's files: it keeps to its bounds, knows no secrets, and ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.kind import RunStopped
from tasks.confined import ROOT, Bounds, OutOfBounds, confined
from tests.stack import until

BOUNDS = Bounds(memory=1 << 29, output=1 << 16, cpu_s=1, wall_s=20.0)


@pytest.fixture
def module() -> Iterator[Callable[[str], str]]:
    """Write a module and give its name; the process finds it below the root of the house."""

    def make(source: str) -> str:
        folder = Path(tempfile.mkdtemp(prefix="confined_", dir=ROOT / "tests"))
        made.append(folder)
        (folder / "__init__.py").touch()
        (folder / "work.py").write_text(source)
        return f"tests.{folder.name}.work"

    made: list[Path] = []
    yield make
    for folder in made:
        shutil.rmtree(folder)


def run(
    name: str, given: bytes = b"", bounds: Bounds = BOUNDS, check: Callable[[], object] = bool
) -> bytes:
    with tempfile.TemporaryFile() as content:
        content.write(given)
        content.flush()
        content.seek(0)
        with confined(name, ["an argument"], content, bounds, check) as output:
            return output.read()


Module = Callable[[str], str]


class TestItsWork:
    def test_goes_in_and_out(self, module: Module) -> None:
        name = module(
            "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + sys.argv[1].encode())"
        )
        assert run(name, b"1" * 10_000) == b"1" * 10_000 + b"an argument"

    def test_knows_no_secret(self, module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://a:secret@b/c")
        found = json.loads(run(module("import os, json; print(json.dumps(dict(os.environ)))")))
        measured = {name for name in found if name.startswith("COVERAGE_")}
        assert set(found) - measured <= {"PATH", "LD_LIBRARY_PATH", "LC_CTYPE"}


class TestItEnds:
    @pytest.mark.parametrize(
        "source",
        [
            "x = bytearray(1 << 30)",
            "while True: pass",
            "import sys; sys.stdout.buffer.write(bytes(1 << 17)); sys.stdout.flush()",
            "import os; os.kill(os.getpid(), 11)",
            "raise ValueError",
        ],
        ids=["memory", "processor", "output", "a crash", "an error"],
    )
    def test_out_of_its_bounds(self, source: str, module: Module) -> None:
        with pytest.raises(OutOfBounds):
            run(module(source))

    def test_after_its_time(self, module: Module) -> None:
        bounds = Bounds(memory=1 << 29, output=1 << 16, cpu_s=2, wall_s=0.5)
        with pytest.raises(OutOfBounds):
            run(module("import time; time.sleep(60)"), bounds=bounds)
        assert _running() == []

    def test_with_its_job(self, module: Module) -> None:
        def check() -> None:
            raise RunStopped

        with pytest.raises(RunStopped):
            run(module("import time; time.sleep(60)"), check=check)
        assert _running() == []

    @pytest.mark.skipif(sys.platform != "linux", reason="bounded by its processor time elsewhere")
    def test_with_whoever_started_it(self, module: Module, tmp_path: Path) -> None:
        name = module("import time; open(__import__('sys').argv[1], 'w').close(); time.sleep(60)")
        mark = tmp_path / "started"
        script = (
            "import sys, tempfile; from tasks.confined import Bounds, confined;"
            f"f = tempfile.TemporaryFile(); b = Bounds(**{vars(BOUNDS)!r});"
            f"confined({name!r}, [{str(mark)!r}], f, b, bool).__enter__()"
        )
        parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
        until(mark.exists)
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
        parent.wait()
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def _running() -> list[int]:
    """Our children that run confined work."""
    children = psutil.Process(os.getpid()).children()
    return [each.pid for each in children if "tasks.confined" in each.cmdline()]

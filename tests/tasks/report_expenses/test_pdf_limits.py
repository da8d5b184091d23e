"""A PDF that asks for too much ends alone: the worker lives, and its job says why."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from core.kind import JobFailed, RunStopped
from tasks.report_expenses.engine.pdf import Limits, PdfRefused, Printing, render_pdf
from tasks.report_expenses.engine.pdf.fonts import fonts_for
from tasks.report_expenses.engine.pdf.press import press
from tests.tasks.report_expenses.pdf_sample import sample

ENDLESS = "#for a in range(1000000) { for b in range(1000000) { let c = a * b } }"
GREEDY = '#let s = "abcdefgh"\n#for n in range(40) { s = s + s }\n#s.len()'


def _press(folder: Path, source: str, **given: object) -> None:
    (folder / "report.typ").write_text(source)
    wanted: dict[str, object] = {"limits": Limits(wall_s=20), "check": lambda: None} | given
    press(
        folder,
        folder / "report.pdf",
        fonts=fonts_for(None, "en"),
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        **wanted,  # type: ignore[arg-type]
    )


def _children() -> list[psutil.Process]:
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if any("child.py" in part for part in each.cmdline())
    ]


def test_a_runaway_is_ended_in_time(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(JobFailed) as failed:
        _press(tmp_path, ENDLESS, limits=Limits(wall_s=0.5))
    assert failed.value.code == "PDF_TOO_SLOW"
    assert not failed.value.retryable
    assert time.monotonic() - started < 15
    assert _children() == []


def test_too_much_memory_is_a_clear_error_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(JobFailed) as failed:
        _press(tmp_path, GREEDY, limits=Limits(memory_bytes=400 * 1024 * 1024, wall_s=30))
    assert failed.value.code == "PDF_TOO_LARGE"
    assert _children() == []


def test_a_real_report_that_is_too_large_for_its_limit(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=220 * 1024 * 1024)
    with pytest.raises(JobFailed) as failed:
        render_pdf(sample(2000), tmp_path, check=lambda: None, printing=Printing(limits=limits))
    assert failed.value.code == "PDF_TOO_LARGE"
    assert list(tmp_path.iterdir()) == []


def test_cancel_ends_the_child(tmp_path: Path) -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            assert len(_children()) == 1
            raise RunStopped

    with pytest.raises(RunStopped):
        _press(tmp_path, ENDLESS, check=check)
    assert _children() == []


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    """A worker that is killed with SIGKILL tells nobody: its end of the pipe is enough."""
    (tmp_path / "report.typ").write_text(ENDLESS)
    parent = os.fork()
    if parent == 0:
        try:
            _press(tmp_path, ENDLESS)
        finally:
            os._exit(1)
    child = _wait_for(lambda: psutil.Process(parent).children())[0]
    os.kill(parent, 9)
    os.waitpid(parent, 0)
    child.wait(timeout=20)


def test_the_template_reads_nothing_outside_and_fetches_nothing(tmp_path: Path) -> None:
    for source in (
        '#read("/etc/passwd")',
        '#read("../outside.txt")',
        '#import "@preview/cetz:0.4.0": *',
    ):
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        (tmp_path / "outside.txt").write_text("secret")
        with pytest.raises(PdfRefused):
            _press(root, source)


def test_the_child_has_no_secrets_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    seen: list[dict[str, str]] = []

    def check() -> None:
        seen.extend(each.environ() for each in _children())
        if seen:
            raise RunStopped

    with pytest.raises(RunStopped):
        _press(tmp_path, ENDLESS, check=check)
    assert "DATABASE_URL" not in seen[0]


def _wait_for(found: object, within_s: float = 20.0) -> list[psutil.Process]:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        result: list[psutil.Process] = found()  # type: ignore[operator]
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError("no child came")

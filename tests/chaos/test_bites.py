"""The campaign bites: with one mechanism turned off it fails, by the right rule; with all, not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import stack
from tests.stack import ROOT


def campaign(name: str, folder: Path) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and output of a short campaign, run as `make chaos` runs one."""
    command = [sys.executable, "-m", "tests.chaos", "--bite", name, "--folder", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **stack.UNMEASURED},
        capture_output=True,
        text=True,
        timeout=110,
    )
    report = folder / "chaos-report.json"
    assert report.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(report.read_text()), done.stdout


class TestWithAllInPlace:
    def test_every_promise_is_kept(self, tmp_path: Path) -> None:
        code, report, output = campaign("kept", tmp_path)
        assert report["violations"] == [], output
        assert code == 0
        # it was hard enough to have failed: see the others
        assert report["attempts"]["lost"] >= 1
        assert [fault["note"] for fault in report["faults"]] == [""] * 3
        page = (tmp_path / "chaos-report.html").read_text()
        assert "Every promise was kept" in page
        assert page.count("<rect") == 3


class TestWithOneTurnedOff:
    @pytest.mark.parametrize(
        ("name", "rule", "text"),
        [
            ("unfenced", "effect", "succeeded with 2 effects"),
            ("unpublished", "ended", "is still queued"),
            ("unrescued", "ended", "is still running"),
        ],
    )
    def test_the_campaign_fails(self, tmp_path: Path, name: str, rule: str, text: str) -> None:
        code, report, output = campaign(name, tmp_path)
        assert code == 1, output
        found = [each for each in report["violations"] if each["rule"] == rule]
        assert any(text in each["text"] for each in found), report["violations"]
        page = (tmp_path / "chaos-report.html").read_text()
        assert "promises were broken" in page
        assert text in page

"""Making the environment: what is installed when, and what is said when it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local import install

ROOT = Path(__file__).parents[2]
Commands = list[list[str]]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A project with its locks, where pip is only written down."""
    for name in ("run", "dev", "bench"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / f"requirements/{name}.txt").write_text(name)
    (tmp_path / ".venv").mkdir()
    seen: Commands = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "STAMP", tmp_path / ".venv/installed.json")
    monkeypatch.setattr(install, "_works", lambda: True)
    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_it_installs_once_and_again_when_the_lock_changes(
    commands: Commands, tmp_path: Path
) -> None:
    install.main("run")
    install.main("run")
    assert len(commands) == 1
    assert "--require-hashes" in commands[0]
    (tmp_path / "requirements/run.txt").write_text("changed")
    install.main("run")
    assert len(commands) == 2


@pytest.mark.parametrize(("lock", "covered"), [("dev", "run"), ("bench", "dev")])
def test_a_lock_covers_those_before_it(commands: Commands, lock: str, covered: str) -> None:
    install.main(lock)
    install.main(covered)
    assert [command[-1].rpartition("/")[2] for command in commands] == [f"{lock}.txt"]


def test_a_python_without_ensurepip_is_told_what_to_install(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "_works", lambda: False)
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(install.CannotInstall, match=r"apt install python3\.\d+-venv"):
        install.main("run")
    assert commands == []


def test_make_without_a_fitting_python_is_one_line_and_exit_code_2() -> None:
    done = subprocess.run(
        ["make", "-C", str(ROOT), "install", "PYTHON="], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr

"""Ending what a dead supervisor left, and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local import orphans
from local.orphans import Note, end_orphans

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    with subprocess.Popen(["sleep", "99"], start_new_session=True) as process:
        yield process
        process.kill()


def note(process: Sleeper, token: str = "mine") -> Note:
    return Note.of("it", process.pid, token, stop_signal=signal.SIGTERM)


def test_what_was_noted_is_ended(sleeper: Sleeper, tmp_path: Path) -> None:
    note(sleeper).write(tmp_path)
    assert end_orphans(tmp_path) == ["it"]
    assert sleeper.wait(5) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_stranger_with_the_same_pid_is_left_alone(sleeper: Sleeper, tmp_path: Path) -> None:
    old = note(sleeper)
    replace(old, created=old.created - 60).write(tmp_path)
    assert end_orphans(tmp_path) == []
    assert sleeper.poll() is None


def test_a_guard_ends_only_what_its_supervisor_started(sleeper: Sleeper, tmp_path: Path) -> None:
    note(sleeper, token="next").write(tmp_path)
    assert end_orphans(tmp_path, token="mine") == []
    assert sleeper.poll() is None
    assert len(list(tmp_path.iterdir())) == 1


def test_the_stubborn_are_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo; while :; do sleep 0.1; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        Note.of("it", process.pid, "mine", stop_signal=signal.SIGTERM).write(tmp_path)
        assert end_orphans(tmp_path, grace_s=0.2) == ["it"]
        assert process.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("token", ["mine", "somebody's"])
def test_forks_of_a_dead_leader_are_known_by_their_token(tmp_path: Path, token: str) -> None:
    env = {"PATH": os.environ["PATH"], orphans.TOKEN_VARIABLE: token}
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 98 & echo $!; wait"],
        env=env,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert leader.stdout
    fork = psutil.Process(int(leader.stdout.readline()))
    Note.of("it", leader.pid, "mine", stop_signal=signal.SIGTERM).write(tmp_path)
    leader.kill()
    leader.wait()
    leader.stdout.close()
    try:
        assert end_orphans(tmp_path) == (["it"] if token == "mine" else [])
        assert bool(orphans.wait_gone([fork], 0)) == (token != "mine")
    finally:
        orphans.kill([fork])


def test_a_torn_note_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "it.json").write_text('{"name": "it", "pid"')
    assert end_orphans(tmp_path) == []

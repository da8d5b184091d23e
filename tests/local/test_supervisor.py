"""Restart, back-off, stop and failure, with processes that do next to nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from local import supervisor
from local.keeper import Keeper, Ward
from local.lastwords import last_words
from local.program import Program
from local.supervisor import Plan, Supervisor
from tests.local.running import alive

STUBBORN = "trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 9; done' & wait; sleep 99"


class Heard(list[str]):
    def __call__(self, name: str, text: str) -> None:
        self.append(f"{name}: {text}")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def ward(tmp_path: Path, heard: Heard) -> Ward:
    return Ward(
        run=tmp_path,
        log=lambda name: tmp_path / f"{name}.log",
        token="test",
        say=heard,
        first_pause_s=0.02,
        longest_pause_s=0.05,
    )


def shell(script: str, name: str = "it", ready: Callable[[], bool] | None = None) -> Program:
    env = {"PATH": os.environ["PATH"]}
    return Program(name, ("/bin/sh", "-c", script), cwd=Path("/"), env=env, ready=ready)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (the condition lies in other processes)
            await asyncio.sleep(0.01)


async def test_the_pause_doubles_up_to_a_limit(ward: Ward, heard: Heard) -> None:
    keeper = Keeper(shell("exit 3"), ward)
    keeper.start()
    await until(lambda: len(heard) >= 4)
    await keeper.stop(1)
    pauses = [line.removeprefix("it: exit code 3; starting again in ") for line in heard[:4]]
    assert pauses == ["0.02 s", "0.04 s", "0.05 s", "0.05 s"]


async def test_who_stayed_up_starts_with_the_first_pause_again(ward: Ward, heard: Heard) -> None:
    patient = Ward(**{**vars(ward), "steady_s": 0.0})
    keeper = Keeper(shell("exit 3"), patient)
    keeper.start()
    await until(lambda: len(heard) >= 3)
    await keeper.stop(1)
    assert all(line.endswith("in 0.02 s") for line in heard)


async def test_what_cannot_start_is_tried_again(ward: Ward, heard: Heard) -> None:
    program = Program("it", ("/no/such/file",), cwd=Path("/"), env={})
    keeper = Keeper(program, ward)
    keeper.start()
    await until(lambda: len(heard) >= 2)
    await keeper.stop(1)
    assert "does not start" in heard[0]


async def test_a_restart_on_request_is_no_failure(ward: Ward, heard: Heard) -> None:
    keeper = Keeper(shell("sleep 99"), ward)
    keeper.start()
    await until(lambda: keeper.pid)
    before = keeper.pid
    keeper.restart()
    await until(lambda: keeper.pid not in (None, before))
    await keeper.stop(5)
    assert heard == []


async def test_who_ignores_sigterm_is_killed_with_all_descendants(ward: Ward, heard: Heard) -> None:
    keeper = Keeper(shell(STUBBORN), ward)
    keeper.start()
    await until(lambda: keeper.pid and len(psutil.Process(keeper.pid).children(True)) >= 2)
    assert keeper.pid
    everyone = [psutil.Process(keeper.pid), *psutil.Process(keeper.pid).children(True)]
    await keeper.stop(0.2)
    await until(lambda: not alive(everyone))
    assert heard == ["it: did not stop within 0.2 s, killing it"]
    assert not (ward.run / "it.json").exists()


async def test_order_of_start_and_stop(ward: Ward, heard: Heard, tmp_path: Path) -> None:
    order = tmp_path / "order"

    def program(name: str, ready: Callable[[], bool] | None = None) -> Program:
        script = f"echo start {name} >> {order}; trap 'echo stop {name} >> {order}; exit' TERM"
        return shell(f"{script}; while :; do sleep 0.01; done", name, ready)

    async def stop_when_ready() -> None:
        supervised.stop()

    supervised = Supervisor(
        Plan(
            servers=[program("server", lambda: order.exists())],
            steps=[shell(f"echo step >> {order}", "step")],
            apps=[program("app", lambda: "start app" in order.read_text())],
        ),
        ward,
        beside=lambda _: [stop_when_ready()],
    )
    assert await supervised.run() == 0
    assert order.read_text().splitlines() == [
        "start server",
        "step",
        "start app",
        "stop app",
        "stop server",
    ]


async def test_a_failing_step_is_told_with_its_last_words(ward: Ward, heard: Heard) -> None:
    steps = [shell("echo the table is gone; exit 4", "migrate")]
    plan = Plan(servers=[shell("sleep 99", "server")], steps=steps, apps=[shell("sleep 99")])
    assert await Supervisor(plan, ward).run() == 1
    assert "stack: migrate failed with exit code 4\n    the table is gone" in heard[0]


async def test_a_server_that_never_gets_ready_ends_the_start(ward: Ward, heard: Heard) -> None:
    plan = Plan(servers=[shell("echo no; exit 1", "server", lambda: False)], steps=[], apps=[])
    assert await Supervisor(plan, ward).run() == 1
    # the last word, unless a server that starts again at that moment has to be stopped
    assert any("server is not ready" in line for line in heard[-2:])


async def test_asked_twice_it_does_not_wait(
    ward: Ward, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "APP_GRACE_S", 60.0)
    monkeypatch.setattr(supervisor, "SAME_WISH_S", 0.2)
    ready = asyncio.Event()
    plan = Plan(servers=[], steps=[], apps=[shell(f"{STUBBORN}", "app", lambda: True)])
    supervised = Supervisor(plan, ward, on_ready=ready.set)
    running = asyncio.create_task(supervised.run())
    async with asyncio.timeout(20):
        await ready.wait()
        everyone = psutil.Process(supervised.apps[0].pid).children(True)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert not running.done()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 0
    await until(lambda: not alive(everyone))
    assert "stack: asked twice, killing everything" in heard


def test_last_words_are_short_and_hold_the_error(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    trace = "Traceback\\n  File x\\n  in y\\nTypeError: no"
    log.write_text(f'plain\n{{"event": "{trace}"}}\nValueError: bad\n' + "[SQL line]\n" * 20)
    assert last_words(log) == ["ValueError: bad", *["[SQL line]"] * 12]
    log.write_text(f'{{"event": "{trace}", "level": "error"}}\n')
    assert last_words(log) == ["  File x", "  in y", "TypeError: no"]
    assert last_words(tmp_path / "none.log") == []

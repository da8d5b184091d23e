"""`python -m local run`: everything on this machine, from one command."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from local import orphans, ports
from local.datadir import DataDir
from local.keeper import Keeper, Ward
from local.screen import say, welcome
from local.server import ServerDidNotStart
from local.stack import CODE, BadKnob, Knobs, Stack, assemble
from local.supervisor import Plan, Supervisor, every, restart_on_change

CANNOT_START = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything, stop everything on Ctrl-C")
    run.add_argument("--reload", action="store_true", help="restart what runs changed code")
    arguments = parser.parse_args()
    reload: bool = arguments.reload
    return start(lambda stack: stack.plan(reload=reload), reload=reload)


def start(plan_of: Callable[[Stack], Plan], *, reload: bool = False) -> int:
    """Runs a plan until it is asked to stop; whatever cannot work is one line and exit code 2."""
    began = time.monotonic()
    try:
        knobs = Knobs.read()
        stack, data = prepare(knobs)
    except (OSError, BadKnob, ServerDidNotStart) as error:
        print(f"wheels: {error}", file=sys.stderr)
        return CANNOT_START
    try:
        return supervise(stack, plan_of(stack), data, began, reload=reload)
    finally:
        data.close()


def prepare(knobs: Knobs) -> tuple[Stack, DataDir]:
    """Checks everything before anything starts."""
    data = DataDir(knobs.data_dir)
    clean_up(data.run)
    for knob, port in (("API_PORT", knobs.api_port), ("FLOWER_PORT", knobs.flower_port)):
        if not ports.is_free(port):
            raise BadKnob(f"port {port} is taken{_holder(port)}; choose another: {knob}=…")
    data.turn_logs()
    return assemble(knobs, data), data


def clean_up(run: Path) -> None:
    """Ends what a supervisor left that was killed."""
    orphans.wait_for_guard(run)
    for name in orphans.end_orphans(run):
        say(name, "was left by an earlier run, ended")


def supervise(stack: Stack, plan: Plan, data: DataDir, began: float, *, reload: bool) -> int:
    ward = Ward(run=data.run, log=data.log, token=secrets.token_hex(16), say=say)

    def beside(apps: Sequence[Keeper]) -> list[Coroutine[Any, Any, None]]:
        work = [every(30.0, data.trim_logs)]
        if reload:
            lanes = [keeper for keeper in apps if keeper.name not in ("api", "flower")]
            work.append(restart_on_change(lanes, CODE))
        return work

    async def go() -> int:
        greet = lambda: welcome(stack, data, time.monotonic() - began)  # noqa: E731
        return await Supervisor(plan, ward, on_ready=greet, beside=beside).run()

    with guarded(ward):
        return asyncio.run(go())


@contextlib.contextmanager
def guarded(ward: Ward) -> Iterator[None]:
    """Holds the pipe whose end tells the guard that this process is dead."""
    command = [sys.executable, "-m", "local.guard", str(ward.run), ward.token]
    guard = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).parent.parent,
        env=dict(os.environ),
    )
    orphans.Note.of(orphans.GUARD, guard.pid, ward.token).write(ward.run)
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(timeout=30)
        orphans.forget(ward.run, orphans.GUARD)


def _holder(port: int) -> str:
    """Who listens there, where the system tells."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                return f" by {process.name()} (process {process.pid})"
    return ""


if __name__ == "__main__":
    sys.exit(main())

"""Work on other people's files in a short-lived process: bounded, without secrets, gone with us.

As a module of its own it is that process: `python -m tasks.confined PARENT LIMITS MODULE …`
takes its bounds on itself before the module is loaded, which no thread of ours can disturb.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
#: What such a process may know of our environment: where programs are, and who counts lines.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_CONFIG")
#: How often the job behind it is looked at. Seconds.
LOOK_EVERY_S = 0.1
#: prctl(2): the signal that a process gets when its parent dies.
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Bounds:
    """What it may take.

    Attributes:
        memory: address space, bytes.
        output: largest file that it writes, bytes.
        cpu_s: time of the processor, seconds.
        wall_s: time in all, seconds.
    """

    memory: int
    output: int
    cpu_s: int
    wall_s: float


class OutOfBounds(Exception):
    """It took more than it may, or broke down: a decoder that dies has been fed to die."""


@contextlib.contextmanager
def confined(
    module: str, arguments: list[str], given: IO[bytes], bounds: Bounds, check: Callable[[], object]
) -> Iterator[IO[bytes]]:
    """Run a module and wait for its end.

    Args:
        given: a file of the system, which becomes its standard input from where it stands.
        check: asked all the while; what it raises ends the process and is passed on.

    Yields:
        What it wrote to its standard output, from the start. The file has no name: whoever
        is killed in between leaves nothing on the disk.

    Raises:
        OutOfBounds
    """
    limits = json.dumps(asdict(bounds))
    command = [sys.executable, "-m", __name__, str(os.getpid()), limits, module, *arguments]
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            command, stdin=given, stdout=output, stderr=complaints, cwd=ROOT, env=env
        )
        try:
            code = _end_of(child, time.monotonic() + bounds.wall_s, check)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if code:
            complaints.seek(0)
            raise OutOfBounds(f"{module}: {code}: {complaints.read()[-500:]!r}")
        output.seek(0)
        yield output


def _end_of(child: subprocess.Popen[bytes], give_up_at: float, check: Callable[[], object]) -> int:
    while True:
        try:
            return child.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            check()
            if time.monotonic() > give_up_at:
                raise OutOfBounds("out of time") from None


def _bind(parent: int, bounds: Bounds) -> None:
    """Take the bounds on, for good; and end when whoever started us has ended."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("whoever wanted this is gone")
    wanted = {
        resource.RLIMIT_AS: bounds.memory,
        resource.RLIMIT_FSIZE: bounds.output,
        resource.RLIMIT_CPU: bounds.cpu_s,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in wanted.items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # macOS does not know a bound of the address space
        with contextlib.suppress(ValueError):
            resource.setrlimit(what, (most, most))


def main() -> None:
    parent, limits, module = sys.argv[1:4]
    _bind(int(parent), Bounds(**json.loads(limits)))
    sys.argv = [module, *sys.argv[4:]]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()

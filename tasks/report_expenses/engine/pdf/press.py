"""Runs the process that sets a PDF, within limits of time and memory, until it ends or has to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import wait
from pathlib import Path

from core.kind import JobFailed
from tasks.report_expenses.engine.pdf.fonts import LAST, SHIPPED, Fonts

_CHILD = Path(__file__).with_name("child.py")
#: How often the job around it is asked whether it should go on. Seconds.
_CHECK_EVERY_S = 0.2
#: What is kept of what the child says.
_SAID_MAX = 4000


class PdfRefused(RuntimeError):
    """typst would not set the template: an error of ours."""


@dataclass(frozen=True)
class Limits:
    """What setting one PDF may take.

    Attributes:
        memory_bytes: of address space. 10,000 rows hold 0.8 GB (measured, decision 0019).
        wall_s: seconds until it is ended.
    """

    memory_bytes: int = 1536 * 1024 * 1024
    wall_s: float = 60.0


def press(
    root: Path,
    output: Path,
    *,
    fonts: Fonts,
    timestamp: datetime,
    limits: Limits,
    check: Callable[[], None],
) -> None:
    """Set `root/report.typ`.

    Args:
        check: raises when the job should stop; asked five times a second, and let pass.

    Raises:
        JobFailed: it took more time or memory than it may.
        PdfRefused
    """
    order = {
        "root": str(root),
        "main": str(root / "report.typ"),
        "output": str(output),
        "fonts": [str(folder) for folder in fonts.folders],
        "first": SHIPPED,
        "last": LAST,
        "han": fonts.han,
        "timestamp": int(timestamp.timestamp()),
        "memory_bytes": limits.memory_bytes,
        # of all its threads together
        "cpu_s": 2 * int(limits.wall_s + 1),
    }
    child = subprocess.Popen(
        [sys.executable, "-I", str(_CHILD), json.dumps(order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=root,
        # no secret of ours; and each thread more would take address space of its own
        env={"RAYON_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "2", "LC_ALL": "C.UTF-8"},
    )
    with child:
        try:
            said = _follow(child, time.monotonic() + limits.wall_s, check)
        finally:
            child.kill()
    if child.returncode != 0:
        raise _reason(child.returncode, said)


def _follow(child: subprocess.Popen[bytes], until: float, check: Callable[[], None]) -> str:
    """What the child says until its end.

    Raises:
        JobFailed: its time is over.
    """
    assert child.stdout is not None
    pipe, said = child.stdout.fileno(), b""
    while True:
        check()
        left = until - time.monotonic()
        if left <= 0:
            raise _too_slow()
        if wait([pipe], min(left, _CHECK_EVERY_S)):
            more = os.read(pipe, 65536)
            if not more:
                child.wait()
                return said.decode(errors="replace")
            said = (said + more)[-_SAID_MAX:]


def _too_slow() -> JobFailed:
    return JobFailed(
        "PDF_TOO_SLOW",
        "The PDF took longer to set than it may. Ask for a shorter period, or for XLSX or CSV.",
    )


def _reason(code: int, said: str) -> Exception:
    """Why the child ended as it did. Rust aborts where there is no memory left."""
    if code in (-signal.SIGABRT, -signal.SIGKILL, -signal.SIGSEGV) or "MemoryError" in said:
        return JobFailed(
            "PDF_TOO_LARGE",
            "The PDF needs more memory than it may use. Ask for a shorter period or fewer"
            " receipts, or for XLSX or CSV.",
        )
    if code == -signal.SIGXCPU:
        return _too_slow()
    return PdfRefused(f"exit {code}: {said.strip()}")

"""Waits for the death of its supervisor, then ends the orphans: `python -m local.guard RUN TOKEN`.

A process of its own because nobody can clean up after his own `kill -9`, and a pipe because
its end is noticed on every system, at once, whoever started the supervisor.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from local.orphans import end_orphans


def main(run: Path, token: str) -> None:
    # only the supervisor's end counts, not a signal sent to everything in sight
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(sys.stdin.fileno(), 1):
        pass
    end_orphans(run, token=token)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

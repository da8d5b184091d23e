"""`make bench`: run the sections, each on fresh stores, and print what they measured."""

from __future__ import annotations

import json
import os
import platform
import sys
import time

from bench.queues import durable, minute
from bench.reports import reports
from bench.rig import rig
from bench.sections import SECTIONS as FIRST
from bench.sections import Figures
from bench.waiting import estimates, flood
from tests import stack

SECTIONS = FIRST | {"g": estimates, "h": flood, "i": minute, "j": durable, "k": reports}


def _show(figures: Figures, indent: str = "    ") -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{indent}{name}: " + "  ".join(f"{k} {v}" for k, v in value.items()))
        else:
            print(f"{indent}{name}: {value}")


def main() -> int:
    stack.FORKED = False  # starts are measured, too
    wanted = sys.argv[1:] or list(SECTIONS)
    print(f"{os.cpu_count()} cores shared with the load generator")
    print(f"Python {platform.python_version()}, load average before {os.getloadavg()[0]:.2f}")
    found: dict[str, Figures] = {}
    for letter in wanted:
        section = SECTIONS[letter]
        print(f"\n({letter}) {(section.__doc__ or '').strip().splitlines()[0].split(') ', 1)[1]}")
        began = time.monotonic()
        with rig() as made:
            found[letter] = section(made)
        _show(found[letter])
        print(f"    [{time.monotonic() - began:.0f} s]")
    if output := os.environ.get("BENCH_JSON"):
        with open(output, "w") as file:
            json.dump(found, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make chaos`: break everything at random from a seed, and judge what is left."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
from pathlib import Path

from tests.chaos import bites, page, report, schedule
from tests.chaos.campaign import Plan, run
from tests.stack import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    seed = os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000)
    parser.add_argument("--seed", type=int, default=int(seed))
    seconds = os.environ.get("CHAOS_SECONDS") or 300
    parser.add_argument("--seconds", type=float, default=float(seconds))
    folder = os.environ.get("CHAOS_DIR") or ROOT / ".local" / "chaos"
    parser.add_argument("--folder", type=Path, default=Path(folder))
    parser.add_argument("--bite", choices=sorted(bites.BITES), help="a short one that must fail")
    asked = parser.parse_args()
    # an interrupted campaign ends its processes all the same
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if asked.bite:
        plan = bites.BITES[asked.bite]
        print(f"chaos: the short campaign {asked.bite!r}", flush=True)
    else:
        faults = schedule.draw(asked.seed, asked.seconds)
        plan = Plan(asked.seed, asked.seconds, faults)
        again = f"make chaos CHAOS_SEED={asked.seed} CHAOS_SECONDS={asked.seconds:g}"
        print(f"chaos: seed {asked.seed}, {len(faults)} faults; again: {again}", flush=True)
    outcome = run(plan, asked.folder / "logs")
    told = report.of(outcome)
    asked.folder.mkdir(parents=True, exist_ok=True)
    report.write(told, asked.folder / "chaos-report.json")
    (asked.folder / "chaos-report.html").write_text(page.render(told), encoding="utf-8")
    print(report.summary(told))
    print(f"chaos: {asked.folder / 'chaos-report.html'}")
    return 1 if told["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())

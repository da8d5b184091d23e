"""The report of a campaign: one JSON document, and a few lines for a terminal."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Outcome


def of(outcome: Outcome) -> dict[str, Any]:
    """All of it, as JSON values; times are seconds from the beginning of the campaign."""
    plan, told = outcome.plan, outcome.told
    faults = [
        {
            "name": one.fault.name,
            "target": one.fault.target,
            "at_s": round(one.began - outcome.began, 2),
            "ended_s": round((one.ended or one.began) - outcome.began, 2),
            "note": one.note,
            **asdict(cost),
        }
        for one, cost in zip(outcome.struck, outcome.costs, strict=True)
    ]
    statuses: Counter[str] = Counter()
    connections = sum(s.connections for s in told.stories)
    for counts in outcome.tally.values():
        statuses.update(counts)
    return {
        "seed": plan.seed,
        "seconds": plan.seconds,
        "began_at": datetime.fromtimestamp(outcome.began, UTC).isoformat(timespec="seconds"),
        "took_s": outcome.took_s,
        "accepted": len(told.accepted),
        "statuses": dict(statuses),
        "kinds": outcome.tally,
        "attempts": outcome.attempts,
        "pace": outcome.pace,
        "slowest": outcome.slowest,
        "restarts": outcome.restarts,
        "faults": faults,
        "answers": dict(sorted(told.answers.items())),
        "streams": {
            "jobs_followed": len(told.stories),
            "connections": connections + sum(w.connections for w in told.wides),
            "events": sum(len(s.numbers) for s in told.stories)
            + sum(len(w.seen) for w in told.wides),
            "files_read": told.files,
        },
        "over_time": outcome.over_time,
        "violations": [asdict(one) for one in outcome.violations],
    }


def write(told: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(told: dict[str, Any]) -> str:
    """A few lines for a terminal."""
    statuses = ", ".join(f"{count} {name}" for name, count in sorted(told["statuses"].items()))
    streams, pace, violations = told["streams"], told["pace"], told["violations"]
    lines = [
        f"{told['accepted']} jobs accepted: {statuses}",
        f"{len(told['faults'])} faults, {sum(told['restarts'].values())} restarts,"
        f" {told['attempts'].get('lost', 0)} attempts lost and rescued",
        f"{streams['events']} events over {streams['connections']} connections,"
        f" {streams['files_read']} files read back",
        f"submit to end: median {pace.get('median_s')} s, p95 {pace.get('p95_s')} s,"
        f" slowest {pace.get('slowest_s')} s; longest silence {pace.get('longest_silence_s')} s",
        f"violations: {len(violations) or 'none'}",
    ]
    counts = Counter(one["rule"] for one in violations)
    lines += [f"  {count} x {rule}" for rule, count in counts.most_common()]
    lines += [f"  [{v['rule']}] {v['subject']} {v['text']}" for v in violations[:20]]
    return "\n".join(f"chaos: {line}" for line in lines)

"""The report as one page for people: no script, nothing loaded, readable by light and by dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

WIDTH, LEFT, ROW = 1100, 190, 15
STYLE = """
:root { --ink: #1d2733; --soft: #66737f; --line: #d9dfe5; --paper: #fff; --bad: #b3261e;
  --good: #1d7a46; --queued: #e0a526; --running: #2f76c0; --ended: #b9c4ce; --fault: #b3541e }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ed; --soft: #94a1ad; --line: #333d47;
  --paper: #14191e; --bad: #ff8a80; --good: #6fd39a; --queued: #d9a62e; --running: #5b9fe3;
  --ended: #4a5661; --fault: #e08a4f } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1140px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.soft { color: var(--soft) } .good { color: var(--good) } .bad { color: var(--bad) }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 1rem }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-size: 1.35rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 500; font-size: .85rem } td.n, th.n { text-align: right }
svg { display: block; min-width: 800px; width: 100%; height: auto; font: 11px system-ui }
svg text { fill: var(--soft) } svg .grid { stroke: var(--line) }
"""


def render(told: dict[str, Any]) -> str:
    """The page for a report as `report.of` makes it."""
    violations = told["violations"]
    verdict = (
        f'<p class="bad"><strong>{len(violations)} promises were broken.</strong></p>'
        if violations
        else '<p class="good"><strong>Every promise was kept.</strong></p>'
    )
    parts = [
        "<h1>Chaos campaign</h1>",
        f'<p class="soft">seed {told["seed"]}, {told["seconds"]:g} s from {told["began_at"]};'
        f" all had ended after {told['took_s']:g} s. Again: <code>make chaos"
        f" CHAOS_SEED={told['seed']} CHAOS_SECONDS={told['seconds']:g}</code></p>",
        verdict,
        _figures(told),
        _table("Broken promises", ("rule", "subject", "text"), violations) if violations else "",
        "<h2>Faults and jobs over time</h2>",
        f'<div class="wide">{_timeline(told)}</div>',
        "<h2>What each fault cost</h2>",
        '<p class="soft">Served: from the beginning of the fault to the end of the first attempt'
        " that was begun after it. Rescue: until the last lost attempt of the struck worker was"
        " given up, for its job to start over. Faults overlap, so a figure may have two"
        " causes.</p>",
        _table("", _COSTS, told["faults"]),
        _table("The slowest jobs", ("job", "at_s", "took_s", "log"), told["slowest"]),
        "<h2>How the jobs ended</h2>",
        _kinds(told["kinds"]),
        _table("Answers", ("answer", "count"), _rows(told["answers"])),
        _table("Started again", ("process", "count"), _rows(told["restarts"])),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Chaos campaign, seed {told['seed']}</title><style>{STYLE}</style>\n{body}</html>\n"
    )


_COSTS = ("at_s", "name", "target", "ended_s", "served_s", "rescued", "rescue_s", "note")


def _figures(told: dict[str, Any]) -> str:
    pace, streams = told["pace"], told["streams"]
    figures = {
        "jobs accepted": told["accepted"],
        "faults": len(told["faults"]),
        "processes restarted": sum(told["restarts"].values()),
        "attempts lost": told["attempts"].get("lost", 0),
        "events seen": f"{streams['events']:,}",
        "stream connections": f"{streams['connections']:,}",
        "median to the end": f"{pace.get('median_s', '–')} s",
        "95 % ended within": f"{pace.get('p95_s', '–')} s",
        "slowest job": f"{pace.get('slowest_s', '–')} s",
        "longest silence": f"{pace.get('longest_silence_s', '–')} s",
    }
    cells = (f"<div><dt>{escape(k)}</dt><dd>{v}</dd></div>" for k, v in figures.items())
    return f"<dl>{''.join(cells)}</dl>"


def _timeline(told: dict[str, Any]) -> str:
    """One row for each target with its faults; below, the unfinished jobs."""
    whole = max(1.0, told["took_s"])
    targets = sorted({fault["target"] for fault in told["faults"]})
    height = ROW * len(targets) + 190

    def x(second: float) -> float:
        return LEFT + round((WIDTH - LEFT - 10) * float(min(1.0, second / whole)), 1)

    drawn = list[str]()
    step = next(s for s in (5, 10, 30, 60, 300, 1800, 10**6) if whole / s <= 15)
    drawn += [
        f'<line class="grid" x1="{x(second)}" x2="{x(second)}" y1="0" y2="{height - 18}"/>'
        f'<text x="{x(second)}" y="{height - 4}" text-anchor="middle">{second} s</text>'
        for second in range(0, int(whole) + 1, step)
    ]
    for row, target in enumerate(targets):
        y = 4 + row * ROW
        drawn.append(f'<text x="{LEFT - 8}" y="{y + 9}" text-anchor="end">{escape(target)}</text>')
        for fault in told["faults"]:
            if fault["target"] == target:
                length = max(3.0, x(fault["ended_s"]) - x(fault["at_s"]))
                title = f"{fault['name']} {fault['target']} at {fault['at_s']} s {fault['note']}"
                drawn.append(
                    f'<rect x="{x(fault["at_s"])}" y="{y}" width="{length:.1f}" height="{ROW - 4}"'
                    f' rx="2" fill="var(--fault)"><title>{escape(title)}</title></rect>'
                )
    drawn.append(_areas(told["over_time"], x, top=ROW * len(targets) + 20, height=140))
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(drawn)}</svg>'


def _areas(over_time: list[Any], x: Any, *, top: int, height: int) -> str:
    most = max((queued + running for _, queued, running, _ in over_time), default=0) or 1

    def y(count: float) -> float:
        return round(top + height - height * count / most, 1)

    def area(upper: Iterable[tuple[float, float]], lower: list[tuple[float, float]]) -> str:
        return " ".join(f"{a},{b}" for a, b in (*upper, *reversed(lower)))

    floor = [(x(second), y(0)) for second, *_ in over_time]
    running = [(x(second), y(r)) for second, _, r, _ in over_time]
    both = [(x(second), y(q + r)) for second, q, r, _ in over_time]
    return (
        f'<polygon points="{area(running, floor)}" fill="var(--running)"><title>running</title>'
        f'</polygon><polygon points="{area(both, running)}" fill="var(--queued)">'
        f"<title>queued</title></polygon>"
        f'<text x="{LEFT - 8}" y="{top + 10}" text-anchor="end">{most} unfinished</text>'
        f'<text x="{LEFT - 8}" y="{top + 30}" text-anchor="end" style="fill:var(--queued)">queued'
        f'</text><text x="{LEFT - 8}" y="{top + 46}" text-anchor="end"'
        f' style="fill:var(--running)">running</text>'
    )


def _kinds(kinds: dict[str, dict[str, int]]) -> str:
    statuses = sorted({status for counts in kinds.values() for status in counts})
    rows = [
        {"kind": kind, **{status: counts.get(status, 0) for status in statuses}}
        for kind, counts in kinds.items()
    ]
    return _table("", ("kind", *statuses), rows)


def _rows(counts: dict[str, int]) -> list[dict[str, Any]]:
    name = "process" if "api-1" in counts else "answer"
    return [{name: key, "count": count} for key, count in counts.items()]


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    head = "".join(f"<th>{escape(name.replace('_s', ', s'))}</th>" for name in columns)
    lines = []
    for row in rows:
        cells = (row.get(name) for name in columns)
        lines.append("".join(f"<td>{'' if c is None else escape(str(c))}</td>" for c in cells))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    return f'{heading}<div class="wide"><table><tr>{head}</tr>{body}</table></div>'

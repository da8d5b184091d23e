"""What the faults cost: how soon work went on, measured in the database after the campaign."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.chaos.nemesis import Struck


@dataclass(frozen=True)
class Cost:
    """Of one fault.

    Attributes:
        served_s: from its beginning to the end of the first job that began after it.
        rescued: attempts of the struck worker that were given up.
        rescue_s: how long after the beginning the last of them was, or None.
    """

    served_s: float | None
    rescued: int
    rescue_s: float | None


_SERVED = """
SELECT min(extract(epoch FROM a.ended_at))::float8 FROM job_attempts a
WHERE a.outcome = 'succeeded' AND a.started_at > to_timestamp(%s)
"""
# a rescue that comes later than this has another cause
_RESCUED = """
SELECT count(*), max(extract(epoch FROM a.ended_at))::float8
FROM job_attempts a JOIN workers w ON w.id = a.worker_id
WHERE a.outcome = 'lost' AND w.name = %s
  AND a.started_at <= to_timestamp(%s) AND a.ended_at BETWEEN to_timestamp(%s)
  AND to_timestamp(%s) + interval '40 seconds'
"""


def costs(connection: psycopg.Connection[Any], struck: Sequence[Struck]) -> list[Cost]:
    found = []
    for one in struck:
        served = connection.execute(_SERVED, (one.began,)).fetchone()
        name, until = f"{one.fault.target}@test", one.ended or one.began
        rescued = connection.execute(_RESCUED, (name, until, one.began, until)).fetchone()
        assert served is not None
        assert rescued is not None
        found.append(
            Cost(
                None if served[0] is None else round(served[0] - one.began, 2),
                rescued[0],
                None if rescued[1] is None else round(rescued[1] - one.began, 2),
            )
        )
    return found


def pace(connection: psycopg.Connection[Any]) -> dict[str, float]:
    """How long jobs took from their submit to their end, and the longest time without an end."""
    rows = connection.execute(
        "SELECT extract(epoch FROM finished_at - created_at)::float8,"
        " extract(epoch FROM finished_at)::float8 FROM jobs WHERE finished_at IS NOT NULL"
    ).fetchall()
    took, at = sorted(row[0] for row in rows), sorted(row[1] for row in rows)
    if len(took) < 2:
        return {}
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return {
        "median_s": round(cuts[49], 2),
        "p95_s": round(cuts[94], 2),
        "slowest_s": round(took[-1], 2),
        "longest_silence_s": round(max(b - a for a, b in itertools.pairwise(at)), 2),
    }


_SLOWEST = """
SELECT j.kind || ' ' || j.status, extract(epoch FROM j.finished_at - j.created_at)::float8,
    extract(epoch FROM j.created_at)::float8 - %s,
    string_agg(replace(e.type, 'job.', '') || ' '
               || round(extract(epoch FROM e.at - j.created_at), 1), ', ' ORDER BY e.seq)
FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.type <> 'job.progress'
WHERE j.finished_at IS NOT NULL
GROUP BY j.id ORDER BY j.finished_at - j.created_at DESC LIMIT 15
"""


def slowest(connection: psycopg.Connection[Any], began: float) -> list[dict[str, Any]]:
    """The jobs that took longest, with what happened to them and after how many seconds."""
    rows = connection.execute(_SLOWEST, (began,)).fetchall()
    return [
        {"job": job, "took_s": round(took_s, 1), "at_s": round(at_s, 1), "log": log}
        for job, took_s, at_s, log in rows
    ]


def crowd_over_time(
    connection: psycopg.Connection[Any], began: float, seconds: float
) -> list[tuple[int, int, int, int]]:
    """Once a second: second, jobs queued, running, ended."""
    moves = connection.execute(
        "SELECT extract(epoch FROM at)::float8, was, becomes FROM chaos_moves ORDER BY at"
    ).fetchall()
    counts = {"queued": 0, "running": 0, "ended": 0}
    sampled, place = [], 0
    for second in range(int(seconds) + 1):
        while place < len(moves) and moves[place][0] <= began + second:
            _, was, becomes = moves[place]
            if was is not None:
                counts[_group(was)] -= 1
            counts[_group(becomes)] += 1
            place += 1
        sampled.append((second, counts["queued"], counts["running"], counts["ended"]))
    return sampled


def _group(status: str) -> str:
    return {"queued": "queued", "waiting": "queued", "running": "running"}.get(status, "ended")

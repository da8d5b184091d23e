"""The judge of a campaign: own connection, own SQL, none of the product's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from tests.chaos.testimony import Story, Testimony, Wide

TERMINAL = {"succeeded", "failed", "cancelled", "expired"}
#: Kinds whose `keep` writes one row into `effects`, and those that leave one file.
WITH_EFFECT = {"nap", "doze"}
WITH_FILE = {"scribe", "plan_route"}

#: Every move of a job, written down by the database itself, whoever makes it.
RECORD_MOVES = """
CREATE TABLE chaos_moves (
    job_id uuid NOT NULL, owner_id uuid NOT NULL, was text, becomes text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX ON chaos_moves (job_id);
CREATE FUNCTION chaos_record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO chaos_moves (job_id, owner_id, becomes)
        VALUES (NEW.id, NEW.owner_id, NEW.status);
    ELSIF OLD.status IS DISTINCT FROM NEW.status THEN
        INSERT INTO chaos_moves (job_id, owner_id, was, becomes)
        VALUES (NEW.id, NEW.owner_id, OLD.status, NEW.status);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_record AFTER INSERT OR UPDATE OF status ON jobs
    FOR EACH ROW EXECUTE FUNCTION chaos_record();
"""


@dataclass(frozen=True)
class Violation:
    """A broken promise.

    Attributes:
        rule: lost | unasked | ended | one_end | effect | log | history | file | stream | feed |
            privacy | key | answer | left_over
        subject: the job, user or key that it is about.
        text: what was found, for a person.
    """

    rule: str
    subject: str
    text: str


@dataclass
class Job:
    """What the tables say of one job."""

    owner_id: UUID
    kind: str
    status: str
    seq: int
    attempt: int
    log: list[tuple[int, str]] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    effects: int = 0
    files: int = 0
    attempts: int = 0
    open_attempts: int = 0


def read(dsn: str) -> dict[UUID, Job]:
    """All jobs with all that is known of them."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute("SELECT id, owner_id, kind, status, seq, attempt FROM jobs")
        jobs = {row[0]: Job(*row[1:]) for row in rows}
        events = "SELECT job_id, seq, type FROM job_events ORDER BY job_id, seq"
        for job_id, seq, kind in connection.execute(events):
            jobs[job_id].log.append((seq, kind))
        for job_id, becomes in connection.execute(
            "SELECT job_id, becomes FROM chaos_moves ORDER BY at"
        ):
            if job_id in jobs:
                jobs[job_id].moves.append(becomes)
        for job_id, count in _counts(connection, "SELECT job_id, count(*) FROM effects GROUP BY 1"):
            if job_id in jobs:
                jobs[job_id].effects = count
        for job_id, count in _counts(
            connection, "SELECT job_id, count(*) FROM artifacts GROUP BY 1"
        ):
            jobs[job_id].files = count
        attempts = "SELECT job_id, count(*), count(*) FILTER (WHERE ended_at IS NULL)"
        for job_id, count, still_open in connection.execute(
            f"{attempts} FROM job_attempts GROUP BY 1"
        ):
            jobs[job_id].attempts, jobs[job_id].open_attempts = count, still_open
    return jobs


def _counts(connection: psycopg.Connection[Any], query: str) -> list[tuple[UUID, int]]:
    return connection.execute(query).fetchall()


def judge(jobs: dict[UUID, Job], told: Testimony, left_over: Sequence[str]) -> list[Violation]:
    """Compare what was promised and seen with what is.

    Args:
        left_over: processes and connections that outlived the campaign, in words.
    """
    found = [
        Violation("lost", str(job_id), "accepted, and not there")
        for job_id in told.accepted
        if job_id not in jobs
    ]
    for job_id, job in jobs.items():
        if job_id not in told.accepted:
            found.append(Violation("unasked", str(job_id), "nobody was promised this job"))
        found += [Violation(rule, str(job_id), text) for rule, text in _of_job(job)]
        if job_id in told.accepted and told.accepted[job_id] != job.owner_id:
            found.append(Violation("privacy", str(job_id), "belongs to somebody else"))
    for story in told.stories:
        found += _of_story(story, jobs)
    for wide in told.wides:
        found += _of_wide(wide, jobs)
    for key, made in told.keys.items():
        if len(made) != 1:
            found.append(Violation("key", key, f"one key led to {len(made)} jobs"))
    found += [Violation("privacy", "", text) for text in told.foreign]
    found += [Violation("answer", "", text) for text in told.wrong]
    found += [Violation("left_over", "", text) for text in left_over]
    return found


def _of_job(job: Job) -> list[tuple[str, str]]:
    found = []
    kinds = [kind for _, kind in job.log]
    tail = f"its log ends {kinds[-3:]}"
    if job.status not in TERMINAL:
        found.append(("ended", f"{job.kind} is still {job.status}; {tail}"))
    ends = [move for move in job.moves if move in TERMINAL]
    if job.status in TERMINAL and ends != [job.status]:
        found.append(("one_end", f"{job.kind} moved into {ends}"))
    if job.moves and job.moves[-1] != job.status:
        found.append(("one_end", f"is {job.status}, moved last into {job.moves[-1]}"))
    done = int(job.status == "succeeded")
    if job.kind in WITH_EFFECT and job.effects != done:
        found.append(("effect", f"{job.kind} {job.status} with {job.effects} effects"))
    if job.kind in WITH_FILE and done and job.files != 1:
        found.append(("file", f"{job.kind} succeeded with {job.files} files"))
    if [number for number, _ in job.log] != list(range(1, job.seq + 1)):
        found.append(("log", f"gaps: {[number for number, _ in job.log]} of {job.seq}"))
    ends = [kind for kind in kinds if kind.removeprefix("job.") in TERMINAL]
    if job.status in TERMINAL and (ends != [f"job.{job.status}"] or kinds[-1:] != ends):
        found.append(("log", f"{job.status}, but {tail}"))
    if kinds[:1] != ["job.queued"]:
        found.append(("log", f"begins {kinds[:2]}"))
    if kinds.count("job.started") != job.attempts:
        found.append(("history", f"{kinds.count('job.started')} starts, {job.attempts} attempts"))
    if job.status in TERMINAL and job.open_attempts:
        found.append(("history", f"{job.status} with {job.open_attempts} attempts open"))
    return found


def _of_story(story: Story, jobs: dict[UUID, Job]) -> list[Violation]:
    job = jobs.get(story.job_id)
    whole = list(range(1, job.seq + 1)) if job else []
    if job and story.numbers == whole and story.last_type == f"job.{job.status}":
        return []
    text = f"saw {_short(story.numbers)} of {len(whole)}, at last {story.last_type!r}"
    return [Violation("stream", str(story.job_id), text)]


def _of_wide(wide: Wide, jobs: dict[UUID, Job]) -> list[Violation]:
    numbers: dict[UUID, list[int]] = {}
    for job_id, seq in wide.seen:
        numbers.setdefault(job_id, []).append(seq)
    found = [
        Violation("privacy", str(wide.owner_id), f"heard of the job {job_id}")
        for job_id in numbers
        if job_id not in jobs or jobs[job_id].owner_id != wide.owner_id
    ]
    for job_id in wide.promised & set(jobs):
        whole, seen = list(range(1, jobs[job_id].seq + 1)), numbers.get(job_id, [])
        if seen != whole:
            text = f"of {job_id} saw {_short(seen)} of {len(whole)}"
            found.append(Violation("feed", str(wide.owner_id), text))
    return found


def _short(numbers: list[int]) -> str:
    """Runs of numbers, so that a gap or a double is seen at once: 1-7 9 9-12."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs) or "nothing"


def tally(jobs: dict[UUID, Job]) -> dict[str, dict[str, int]]:
    """How many jobs of each kind ended how."""
    found: dict[str, Counter[str]] = {}
    for job in jobs.values():
        found.setdefault(job.kind, Counter())[job.status] += 1
    return {kind: dict(counts) for kind, counts in sorted(found.items())}

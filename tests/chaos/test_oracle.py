"""The judge can say no: each rule against a history that breaks it, and one that breaks none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.chaos.oracle import Job, judge
from tests.chaos.testimony import Story, Testimony, Wide

OWNER, JOB = uuid4(), uuid4()
LOG = ["job.queued", "job.started", "job.succeeded"]


class History:
    """One nap that went well, seen by everybody."""

    def __init__(self) -> None:
        log = list(enumerate(LOG, 1))
        moves = ["queued", "running", "succeeded"]
        self.job = Job(OWNER, "nap", "succeeded", 3, 1, log, moves, effects=1, attempts=1)
        self.jobs = {JOB: self.job}
        self.story = Story(OWNER, JOB, [1, 2, 3], "job.succeeded", 2)
        self.wide = Wide(OWNER, [(JOB, 1), (JOB, 2), (JOB, 3)], {JOB}, {JOB: 2.0}, 1.0)
        self.told = Testimony({JOB: OWNER}, {"key": {JOB}}, [self.story], [self.wide])
        self.left_over: list[str] = []

    def rules(self) -> set[str]:
        return {each.rule for each in judge(self.jobs, self.told, self.left_over)}


def _another(history: History, owner: UUID = OWNER) -> UUID:
    """A second job like the first, that nobody was promised yet."""
    made = uuid4()
    history.jobs[made] = Job(**{**vars(history.job), "owner_id": owner})
    return made


def _end_twice(history: History) -> None:
    history.job.moves.append("failed")


def _end_open(history: History) -> None:
    history.job.status, history.job.moves = "running", ["queued", "running"]
    history.job.seq, history.job.log, history.job.effects = 2, history.job.log[:2], 0
    history.story.numbers, history.wide.seen = [1, 2], history.wide.seen[:2]
    history.told.stories.clear()


def _show_to_a_stranger(history: History) -> None:
    theirs = _another(history, uuid4())
    history.told.accepted[theirs] = history.jobs[theirs].owner_id
    history.wide.seen.append((theirs, 1))


def _say_more_after_the_end(history: History) -> None:
    history.job.log.append((4, "job.progress"))
    history.job.seq = 4
    history.story.numbers.append(4)
    history.wide.seen.append((JOB, 4))


BREAKS: dict[str, tuple[Callable[[History], Any], set[str]]] = {
    "a job that is not there": (lambda h: h.told.accepted.update({uuid4(): OWNER}), {"lost"}),
    "a job that nobody asked for": (_another, {"unasked"}),
    "a job without an end": (_end_open, {"ended"}),
    "a second end": (_end_twice, {"one_end"}),
    "no effect": (lambda h: setattr(h.job, "effects", 0), {"effect"}),
    "a second effect": (lambda h: setattr(h.job, "effects", 2), {"effect"}),
    "no file": (lambda h: setattr(h.job, "kind", "scribe"), {"file"}),
    "a gap in the log": (lambda h: h.job.log.pop(1), {"log", "history"}),
    "an event after the end": (_say_more_after_the_end, {"log"}),
    "a start that no attempt knows": (lambda h: setattr(h.job, "attempts", 2), {"history"}),
    "an attempt left open": (lambda h: setattr(h.job, "open_attempts", 1), {"history"}),
    "a follower who missed one": (lambda h: h.story.numbers.remove(2), {"stream"}),
    "a follower who heard one twice": (lambda h: h.story.numbers.insert(1, 1), {"stream"}),
    "a follower who never heard the end": (lambda h: h.story.numbers.pop(), {"stream"}),
    "a feed with a gap": (lambda h: h.wide.seen.pop(1), {"feed"}),
    "a feed out of order": (lambda h: h.wide.seen.reverse(), {"feed"}),
    "a feed with a stranger's job": (_show_to_a_stranger, {"privacy"}),
    "something foreign in an answer": (lambda h: h.told.foreign.append("x"), {"privacy"}),
    "one key with two jobs": (lambda h: h.told.keys["key"].add(uuid4()), {"key"}),
    "an answer of 500": (lambda h: h.told.wrong.append("500"), {"answer"}),
    "a process that stayed": (lambda h: h.left_over.append("process 1"), {"left_over"}),
}


class TestTheOracle:
    def test_has_nothing_against_a_good_history(self) -> None:
        assert History().rules() == set()

    @pytest.mark.parametrize("what", BREAKS)
    def test_sees(self, what: str) -> None:
        history = History()
        break_it, rules = BREAKS[what]
        break_it(history)
        assert history.rules() == rules

    def test_excuses_a_feed_that_had_no_place_yet(self) -> None:
        """Cut before its first event, it could not resume: the snapshot told of the job."""
        history = History()
        history.wide.placed_at = 3.0
        history.wide.seen.clear()
        assert history.rules() == set()

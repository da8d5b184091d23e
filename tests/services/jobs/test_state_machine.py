"""Any order of submits, claims, deaths, clock jumps and repairs: Postgres does what the model says.

Every write may also die, before its commit or because its connection is cut, and then must not
have happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database import Steps, perform
from models.job import LEGAL_MOVES, TERMINAL, Status
from services.jobs import checkpoints, fleet, repair, running, settle
from services.jobs.claim import Claimed, claim
from services.jobs.errors import job_error
from tests.lab import DAYS, Lab
from tests.services.jobs.machine import FATES, HOUR_S, PICKS, WORKERS, Accepting, Fate, Held, Pick
from tests.services.jobs.model import ModelJob

BUSY = job_error("BUSY", "Later.", status=503, retryable=True)
NO = job_error("NO", "Never.")
#: What a worker may do; claims, and ends that let the job live on, come often.
ACTS = ["claims", "claims", "claims", "goes back", "errs", "reports", "renews", "reads"]
ACTS += ["saves", "claims late", "goes back", "errs", "succeeds", "fails", "obeys", "is buried"]
ROUNDS = ["rescues", "rescues", "ends what is overdue", "admits", "readmits", "prunes"]
ROUNDS += ["readmits too early"]
SEEDS = 14
SETTINGS = settings(
    max_examples=4,
    stateful_step_count=60,
    database=None,
    deadline=None,
    # a failure is told as it was found: to shrink it takes minutes of real transactions
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NAMES = st.sampled_from(WORKERS)


class JobLife(Accepting):
    """The second half: workers, the clock, the lifeline, and what must hold after every step."""

    jobs = Accepting.jobs
    #: How often each move was made, over all examples: a campaign that never gets there is none.
    moves: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.saves = 0
        self.seen: dict[UUID, Status] = {}
        self.ends: dict[UUID, tuple[Status, int, datetime]] = {}

    # ── Workers, the living and the late ────────────────────────────────────────────────────

    @rule(what=st.sampled_from(ACTS), pick=PICKS, name=NAMES, fate=FATES)
    def worker_acts(self, what: str, pick: Pick, name: str, fate: Fate) -> None:
        self._act(what, pick, name, fate)

    def _act(self, what: str, pick: Pick, name: str, fate: Fate) -> None:
        if what == "claims":
            self._claim(pick[1], 0, name, fate)
        elif what == "claims late":
            self._claim(pick[1], 1 + pick[1] % 2, name, fate)
        elif self.held:
            one = self.pick(pick)
            {
                "reports": self._report,
                "renews": self._renew,
                "saves": self._save,
                "reads": self._read_orders,
                "succeeds": self._succeed,
                "is buried": self._bury,
            }.get(what, self._end_as(what))(one, fate)

    # most of what matters happens here, and Hypothesis leaves some rules out of each example
    worker_acts_again = rule(what=st.sampled_from(ACTS), pick=PICKS, name=NAMES, fate=FATES)(
        lambda self, **drawn: self._act(**drawn)
    )

    def _claim(self, choice: int, age: int, name: str, fate: Fate) -> None:
        """A message comes: in time or much later, once or often, for a living worker or not."""
        if not self.known:
            return
        there = [job for job in self.known if job.may_be_claimed(job.attempt)]
        among = [job for job in there if job.attempt >= age] or there or self.known
        job, worker = among[choice % len(among)], self.workers[name]
        attempt = max(0, job.attempt - age)
        self.pids += 1
        steps = claim(job.id, attempt, worker_id=worker.id, pid=self.pids, lease_s=HOUR_S)
        done, claimed = self.do(steps, fate)
        if not done:
            return
        assert (claimed is not None) == (job.may_be_claimed(attempt) and worker.alive)
        if claimed is not None:
            assert claimed.checkpoint == (None if job.saved is None else {"n": job.saved})
            job.claim(claimed.fence, worker, self.pids)
            self.held.append(Held(job, claimed))

    def _report(self, one: Held, fate: Fate) -> None:
        job, fence = one.job, one.claimed.fence
        done, seq = self.do(running.progress(job.id, fence, {"fraction": 0.5}), fate)
        assert not done or (seq is not None) == job.held_by(fence)
        if seq is not None:
            job.log.append("job.progress")

    def _save(self, one: Held, fate: Fate) -> None:
        job, fence = one.job, one.claimed.fence
        self.saves += 1
        steps = checkpoints.save(job.id, fence, one.claimed.attempt, f'{{"n":{self.saves}}}')
        done, mine = self.do(steps, fate)
        assert not done or mine == job.held_by(fence)
        if done and mine:
            job.saved = self.saves

    def _renew(self, one: Held, fate: Fate) -> None:
        done, _ = self.do(running.renew([one.job.id], [one.claimed.fence], HOUR_S), fate)
        one.job.lease_over &= not (done and one.job.held_by(one.claimed.fence))

    def _read_orders(self, one: Held, _fate: Fate) -> None:
        job, fence = one.job, one.claimed.fence
        _, orders = self.do(running.orders([job.id], [fence]), Fate())
        mine, worker = (orders or {}).get(fence), job.worker
        served = job.held_by(fence) and worker is not None and worker.alive
        assert (mine is not None) == served
        if mine is not None:
            assert mine.cancel == job.cancel_asked
            assert mine.finish == job.finish_asked
            assert mine.past_deadline == job.deadline_over
            assert (mine.drain_for_s is not None) == (worker is not None and worker.draining)

    def _succeed(self, one: Held, fate: Fate) -> None:
        """As `tasks.base` does it: hold, the domain write, the end."""
        job, fence = one.job, one.claimed.fence
        job_id, mine = job.id, job.held_by(fence)
        effect = text("INSERT INTO effects (job_id) VALUES (:id)").bindparams(id=job_id)
        end = settle.settle(job_id, fence, Status.SUCCEEDED, result={"steps": 1}, keep_days=DAYS)
        parts: list[Callable[[Session], bool]] = [
            lambda session: perform(session, running.hold(job_id, fence)) is not None
        ]
        if mine:
            parts.append(lambda session: session.execute(effect) is not None)
            parts.append(lambda session: perform(session, end))
        done, value = self.write(self.owner, parts, fate)
        if done:
            assert value == mine
            if mine:
                job.end(Status.SUCCEEDED)

    def _end_as(self, how: str) -> Callable[[Held, Fate], None]:
        """An end without a `hold`: the fence of each statement alone must do."""

        def end(one: Held, fate: Fate) -> None:
            job, mine = one.job, one.job.held_by(one.claimed.fence)
            done, value = self.do(_end(one.claimed, how), fate, self.owner)
            assert not done or value == mine
            if not (done and mine):
                return
            if how == "goes back":
                job.give_back()
            elif how == "errs" and job.errors + 1 < job.max_attempts:
                job.try_again()
                self.inspection.set_ready(job.id, now=job.ready)
            else:
                job.end(Status.CANCELLED if how == "obeys" else Status.FAILED)

        return end

    def _bury(self, one: Held, fate: Fate) -> None:
        """The child that holds the job, or held it, is found dead."""
        job = one.job
        if job.worker is not None and self.do(fleet.bury(job.worker.id, [job.pid]), fate)[0]:
            job.lease_over = True

    @rule(name=NAMES, what=st.sampled_from(["restarts", "drains", "leaves", "lives"]), fate=FATES)
    def worker_turns(self, name: str, what: str, fate: Fate) -> None:
        worker = self.workers[name]
        if what == "restarts":
            self.enter(name)
        elif what == "drains":
            worker.draining |= self.do(fleet.drain(worker.id), fate)[0]
        elif what == "leaves":
            worker.alive &= not self.do(fleet.leave(worker.id), fate)[0]

    # ── The clock ───────────────────────────────────────────────────────────────────────────

    @rule(job=jobs, choice=st.integers(0, 5))
    def time_jumps(self, job: ModelJob, choice: int) -> None:
        """Past one of the moments that the job has."""
        moments = {
            "lease_until": (job.fence is not None, "lease_over", 1),
            "deadline_at": (job.has_deadline, "deadline_over", 1),
            "start_by": (job.has_start_by, "start_by_over", 1),
            "cancel_requested_at": (job.cancel_asked, "cancel_ignored", 2 * HOUR_S),
            "expires_at": (job.ended, "keeping_over", 1),
        }
        if job.waits and not job.ready:
            self.inspection.set_ready(job.id, now=True)
            job.ready = True
            return
        ahead = [one for one, (has, over, _) in moments.items() if has and not getattr(job, over)]
        if ahead and not job.gone:
            column = ahead[choice % len(ahead)]
            _, over, seconds = moments[column]
            self.lab.past(job.id, **{column: seconds})
            setattr(job, over, True)

    # ── The lifeline ────────────────────────────────────────────────────────────────────────

    @rule(what=st.sampled_from(ROUNDS), fate=FATES)
    def lifeline_goes_round(self, what: str, fate: Fate) -> None:
        if what == "readmits too early":
            self._readmit(fate, long_ago=False)
        else:
            {
                "rescues": self._rescue,
                "ends what is overdue": self._end_overdue,
                "admits": self._admit,
                "readmits": self._readmit,
                "prunes": self._prune,
            }[what](fate)

    def _rescue(self, fate: Fate) -> None:
        lost = [job for job in self.known if not job.gone and job.lost]
        done, changed = self.do(repair.rescue(keep_days=DAYS), fate)
        if done:
            assert sorted(changed or []) == sorted((job.id, job.owner) for job in lost)
            for job in lost:
                job.rescue()
                if job.waits and not job.ready:
                    # a second of back-off, which must not end by itself under the model
                    self.inspection.set_ready(job.id, now=False)

    def _end_overdue(self, fate: Fate) -> None:
        due = [(job, end) for job in self.known if (end := job.overdue()) is not None]
        steps = repair.end_overdue(keep_days=DAYS, cancel_grace_s=HOUR_S)
        done, changed = self.do(steps, fate)
        if done:
            assert sorted(changed or []) == sorted((job.id, job.owner) for job, _ in due)
            for job, status in due:
                job.end(status)

    def _prune(self, fate: Fate) -> None:
        old = [job for job in self.known if job.keeping_over and not job.gone]
        done, deleted = self.do(repair.prune(), fate)
        if done:
            assert deleted == len(old)
            for job in old:
                job.gone = True
                del self.seen[job.id]

    # ── What holds after every step ─────────────────────────────────────────────────────────

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        rows = self.inspection.jobs()
        assert rows.keys() == {job.id for job in self.known if not job.gone}
        for job in self.known:
            if not job.gone:
                check_against(job, rows[job.id])
                self._check_history(rows[job.id])
        fences = [row["fence"] for row in rows.values() if row["fence"]]
        assert len(set(fences)) == len(fences)

    def _check_history(self, row: dict[str, Any]) -> None:
        """Only legal moves, and an end stays as it was."""
        before, now = self.seen.get(row["id"], Status.QUEUED), Status(row["status"])
        assert now is before or now in LEGAL_MOVES[before], (before, now)
        self.seen[row["id"]] = now
        if before is not now:
            self.moves[f"{before} → {now}"] += 1
        if now in TERMINAL:
            end = (now, row["seq"], row["finished_at"])
            assert self.ends.setdefault(row["id"], end) == end


def _end(claimed: Claimed, how: str) -> Steps[bool]:
    job_id, fence = claimed.job_id, claimed.fence
    if how == "goes back":
        return settle.give_back(job_id, fence)
    if how == "errs":
        return settle.after_error(claimed, BUSY, base_s=60, keep_days=DAYS)
    if how == "obeys":
        return settle.settle(job_id, fence, Status.CANCELLED, keep_days=DAYS)
    return settle.settle(job_id, fence, Status.FAILED, error=NO, keep_days=DAYS)


def check_against(job: ModelJob, row: dict[str, Any]) -> None:
    """Every column that the model knows, and the promises of the log."""
    for name in ("status", "attempt", "errors", "crashes", "fence", "log", "started"):
        assert row[name] == getattr(job, name), (name, row[name], getattr(job, name))
    for name in ("cancel_asked", "finish_asked", "superseded", "saved"):
        assert row[name] == getattr(job, name), name
    assert row["numbers"] == list(range(1, row["seq"] + 1))
    terminal = [name for name in row["log"] if name.removeprefix("job.") in TERMINAL]
    assert terminal == ([row["log"][-1]] if job.ended else [])
    assert row["owner_id"] == job.owner
    assert row["admitted"] == job.admitted or job.ended
    running_now = job.status is Status.RUNNING
    assert (row["fence"] is not None) == row["leased"] == running_now
    assert row["open_fences"] == ([str(job.fence)] if running_now else [])
    assert row["outcomes"] == [outcome or "open" for outcome in job.outcomes]
    assert row["effects"] == row["has_result"] == (job.status is Status.SUCCEEDED)
    assert row["has_error"] == (job.status is Status.FAILED)
    assert row["expires"] == (row["finished_at"] is not None) == job.ended


def test_any_order_of_events(lab: Lab) -> None:
    moves: Counter[str] = Counter()
    # many seeds, few examples each: what Hypothesis would make of one are mostly its variations
    for number in range(SEEDS):
        machine = type("Life", (JobLife,), {"lab": lab, "moves": moves})
        run_state_machine_as_test(seed(number)(machine), settings=SETTINGS)
    legal = {f"{was} → {to}" for was, all_to in LEGAL_MOVES.items() for to in all_to}
    assert set(moves) == {move for move in legal if Status.WAITING not in move}, moves

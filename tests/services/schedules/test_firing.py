"""Schedules on the clock: each period once, by however many, through downtime, quota and death."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from core.kind import KINDS
from services.jobs import repair
from services.jobs.errors import KindGone
from services.jobs.submit import Limits
from services.schedules import edit, firing, views
from services.schedules.errors import ScheduleNotFound
from tasks.report_expenses.contract import REPORT_EXPENSES
from tests.services.schedules.conftest import START, Desk
from tests.stack import ROOT, UNMEASURED


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestAPeriod:
    def test_is_not_made_before_its_time(self, desk: Desk) -> None:
        made = desk.make()
        assert desk.read(made).next_run_at == utc("2026-05-01 09:00")
        assert desk.scheduler().round() == 0
        desk.at("2026-05-01 08:59:59.999")
        assert desk.scheduler().round() == 0
        assert desk.jobs(made) == []

    def test_makes_one_job_of_its_owner_with_its_request(self, desk: Desk) -> None:
        made = desk.make()
        desk.at("2026-05-01 09:00:00")
        scheduler = desk.scheduler()
        assert [scheduler.round() for _ in range(3)] == [1, 0, 0]
        (job_id,) = desk.jobs(made)
        with desk.lab.stores.sql() as sql:
            row = sql.execute(
                "SELECT jobs.owner_id, kind, status, priority, tags, input FROM jobs"
                " JOIN job_payloads ON job_id = id WHERE id = %s",
                (job_id,),
            ).fetchone()
        tags = ["home", f"schedule:{made}"]
        assert row == (desk.owner, "chore", "queued", "batch", tags, {"seconds": 0})
        assert desk.lab.events(job_id) == ["job.queued"]
        schedule = desk.read(made)
        assert schedule.next_run_at == schedule.due_at == utc("2026-05-02 09:00")
        assert (schedule.last_job_id, schedule.last_run_at) == (job_id, desk.now)
        (run,) = desk.runs(made)
        assert (run.period_at, run.outcome, run.job_id) == (
            utc("2026-05-01 09:00"),
            "made",
            job_id,
        )

    def test_goes_by_the_clock_of_postgres_where_no_other_is_given(self, desk: Desk) -> None:
        desk.now = datetime.now(UTC)
        made = desk.make("* * * * *")
        steps = firing.fire(desk.owner, made, KINDS)
        assert desk.lab.as_owner(desk.owner, steps) is None
        with desk.lab.stores.sql() as sql:
            sql.execute(
                "UPDATE schedules SET next_run_at = date_trunc('minute', now()),"
                " due_at = date_trunc('minute', now())"
            )
        steps = firing.fire(desk.owner, made, KINDS)
        assert desk.lab.as_owner(desk.owner, steps) is not None

    def test_cannot_be_recorded_twice(self, desk: Desk) -> None:
        """The wall behind the lock of the row."""
        made = desk.make()
        desk.at("2026-05-01 09:00:00")
        desk.fire(made)
        with desk.lab.stores.sql() as sql:
            sql.execute("UPDATE schedules SET next_run_at = %s, due_at = %s", (desk.now,) * 2)
        with pytest.raises(IntegrityError, match="uq_schedule_runs_schedule_id_period_at"):
            desk.fire(made)
        assert len(desk.jobs(made)) == 1

    def test_is_the_last_one_before_the_end(self, desk: Desk) -> None:
        made = desk.make(ends_at=utc("2026-05-02 09:00"))
        desk.at("2026-05-09 12:00:00")
        assert desk.scheduler().round() == 1
        assert desk.read(made).next_run_at is None
        assert desk.read(made).due_at is None

    def test_of_a_disabled_schedule_does_not_come(self, desk: Desk) -> None:
        made = desk.make(enabled=False)
        desk.at("2026-06-01 09:00:00")
        assert desk.scheduler().round() == 0
        assert desk.read(made).next_run_at is None


class TestManySchedulers:
    def test_make_each_period_once(self, desk: Desk) -> None:
        made = [desk.make("*/10 * * * *", catch_up="all") for _ in range(12)]
        desk.at("2026-05-01 09:30:00")  # 08:40 to 09:30: six periods each
        schedulers = [desk.scheduler() for _ in range(4)]
        counts: list[int] = []
        start = threading.Barrier(len(schedulers))

        def run(one: int) -> None:
            start.wait()
            counts.append(schedulers[one].round())

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(schedulers))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # whoever was passed over while another held its row
        counts.append(desk.scheduler().round())
        assert sum(counts) == 12 * 6
        for schedule_id in made:
            assert len(desk.jobs(schedule_id)) == 6
            periods = [run.period_at for run in desk.runs(schedule_id)]
            assert periods == [START + timedelta(minutes=10 * n) for n in range(1, 7)]

    def test_do_not_wait_for_one_that_hangs(self, desk: Desk) -> None:
        held, free = desk.make(), desk.make()
        desk.at("2026-05-01 09:00:00")
        with psycopg.connect(desk.lab.stores.postgres.dsn("postgres")) as hanging:
            hanging.execute("SELECT FROM schedules WHERE id = %s FOR UPDATE", (held,))
            assert desk.scheduler().round() == 1
        assert (len(desk.jobs(held)), len(desk.jobs(free))) == (0, 1)
        assert desk.scheduler().round() == 1
        assert len(desk.jobs(held)) == 1


#: Fires schedules, each in a process of its own that is killed before the statement of its
#: number or, after all of them, before the commit. Says which had done all.
DIES = """
import os, signal, sys
from datetime import datetime
from uuid import UUID
import tests.services.schedules.conftest
from core.database import Database, Role
from core.kind import KINDS
from core.settings import get_settings
from services.schedules import firing

def die(owner, schedule, now, die_at):
    database = Database(get_settings(), Role.APP, pool_size=0)
    steps = firing.fire(owner, schedule, KINDS, now=now)
    with database.transaction(owner) as session:
        n, wanted = 0, next(steps)
        try:
            while n < die_at:
                wanted = steps.send(session.execute(wanted.statement, wanted.values))
                n += 1
        except StopIteration as done:
            assert done.value.job is not None
            print(die_at, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

owner, now, *schedules = sys.argv[1:]
for die_at, schedule in enumerate(schedules):
    child = os.fork()
    if not child:
        die(UUID(owner), UUID(schedule), datetime.fromisoformat(now), die_at)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


class TestAKill:
    def test_between_any_two_statements_neither_loses_nor_doubles_a_period(
        self, desk: Desk
    ) -> None:
        made = [desk.make(catch_up="all") for _ in range(6)]
        desk.at("2026-05-01 09:00:00")
        done = subprocess.run(
            [sys.executable, "-c", DIES, str(desk.owner), desk.now.isoformat(), *map(str, made)],
            cwd=ROOT,
            env={**desk.lab.stores.env(), **UNMEASURED, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
        )
        # take, submit, record, advance: the last two did all of them and died before the commit
        assert (done.stdout.split(), done.stderr) == (["4", "5"], "")
        assert [desk.jobs(schedule_id) for schedule_id in made] == [[]] * 6
        assert desk.scheduler().round() == 6
        assert [len(desk.jobs(schedule_id)) for schedule_id in made] == [1] * 6
        assert desk.scheduler().round() == 0


class TestDowntime:
    @pytest.mark.parametrize(
        ("catch_up", "made_at", "skipped"),
        [
            ("one", ["05-04 09:00"], ("05-01 09:00", "05-03 09:00")),
            ("none", [], ("05-01 09:00", "05-04 09:00")),
            ("all", [f"05-0{day} 09:00" for day in (1, 2, 3, 4)], None),
        ],
    )
    def test_is_made_up_for_as_the_schedule_says(
        self, catch_up: str, made_at: list[str], skipped: tuple[str, str] | None, desk: Desk
    ) -> None:
        made = desk.make(catch_up=catch_up)
        desk.at("2026-05-04 12:00:00")
        assert desk.scheduler().round() == len(made_at)
        runs = desk.runs(made)
        assert [run.period_at for run in runs if run.outcome == "made"] == [
            utc(f"2026-{at}") for at in made_at
        ]
        given_up = [run for run in runs if run.outcome == "skipped"]
        spans = [(run.period_at, run.through_at) for run in given_up]
        assert spans == ([] if skipped is None else [tuple(utc(f"2026-{at}") for at in skipped)])
        for run in given_up:
            assert run.error is not None
            assert run.error["error_code"] == "PERIOD_MISSED"
        assert desk.read(made).next_run_at == utc("2026-05-05 09:00")


FULL = Limits(unfinished=1)


class TestAnOwnerWithTooManyJobs:
    def test_has_the_period_tried_again(self, desk: Desk) -> None:
        made = desk.make()
        other = desk.lab.submit(desk.owner).job_id
        desk.at("2026-05-01 09:00:00")
        fired = desk.fire(made, FULL)
        assert fired is not None
        assert (fired.job, fired.error) == (None, "TOO_MANY_JOBS")
        schedule = desk.read(made)
        assert schedule.next_run_at == utc("2026-05-01 09:00")
        assert schedule.due_at == desk.now + firing.RETRY
        assert schedule.last_error is not None
        assert schedule.last_error["error_code"] == "TOO_MANY_JOBS"
        desk.pass_by(seconds=29)
        assert desk.fire(made, FULL) is None
        desk.pass_by(seconds=1)
        with desk.lab.stores.sql() as sql:
            sql.execute("DELETE FROM jobs WHERE id = %s", (other,))
        fired = desk.fire(made, FULL)
        assert fired is not None
        assert fired.job is not None
        assert desk.read(made).last_error is None
        assert [run.period_at for run in desk.runs(made)] == [utc("2026-05-01 09:00")]

    def test_has_it_recorded_as_skipped_once_the_next_one_comes(self, desk: Desk) -> None:
        made = desk.make()
        desk.lab.submit(desk.owner)
        desk.at("2026-05-01 09:00:00")
        desk.fire(made, FULL)
        desk.at("2026-05-02 09:00:00")
        desk.fire(made, FULL)
        (run,) = desk.runs(made)
        assert (run.outcome, run.period_at) == ("skipped", utc("2026-05-01 09:00"))
        assert run.error is not None
        assert run.error["error_code"] == "TOO_MANY_JOBS"
        assert desk.read(made).next_run_at == utc("2026-05-02 09:00")

    def test_keeps_nobody_else_from_their_turn(self, desk: Desk) -> None:
        crowded, other = desk.make(), Desk(desk.lab)
        free = other.make()
        desk.lab.submit(desk.owner)
        desk.at("2026-05-01 09:00:00")
        assert desk.scheduler(rate_limits=True, max_unfinished_jobs=1).round() == 1
        assert (len(desk.jobs(crowded)), len(other.jobs(free))) == (0, 1)


class TestAKindThatIsGone:
    def test_is_tried_again_and_shown(self, desk: Desk) -> None:
        made = desk.make(kind="long_gone")
        desk.at("2026-05-01 09:00:00")
        assert desk.scheduler().round() == 0
        schedule = desk.read(made)
        assert schedule.last_error is not None
        assert schedule.last_error["error_code"] == "KIND_GONE"

    def test_or_is_not_for_users_makes_no_job(self, desk: Desk) -> None:
        made = desk.make(kind="secret_chore")
        desk.at("2026-05-01 09:00:00")
        assert desk.scheduler().round() == 0
        with pytest.raises(KindGone):
            desk.lab.as_owner(desk.owner, firing.run_now(desk.owner, made, KINDS))
        assert desk.jobs(made) == []


class TestAScheduleThatFails:
    def test_keeps_nobody_else_from_their_turn(self, desk: Desk) -> None:
        broken, whole = desk.make(), desk.make()
        with desk.lab.stores.sql() as sql:
            sql.execute("UPDATE schedules SET zone = 'Nowhere/Else' WHERE id = %s", (broken,))
        desk.at("2026-05-01 09:00:00")
        assert desk.scheduler().round() == 1
        assert (len(desk.jobs(broken)), len(desk.jobs(whole))) == (0, 1)


class TestAChange:
    def change(self, desk: Desk, schedule_id: UUID, **columns: object) -> views.ScheduleView:
        steps = edit.change(
            desk.owner, schedule_id, lambda s: {**s.written(), **columns}, now=desk.now
        )
        return desk.lab.as_owner(desk.owner, steps)

    def test_of_times_counts_from_now_on(self, desk: Desk) -> None:
        made = desk.make()
        desk.at("2026-05-04 12:00:00")
        changed = self.change(desk, made, cron="0 18 * * *")
        assert changed.next_run_at == changed.due_at == utc("2026-05-04 18:00")
        assert desk.scheduler().round() == 0

    def test_of_anything_else_leaves_what_is_due(self, desk: Desk) -> None:
        made = desk.make()
        desk.at("2026-05-01 12:00:00")
        assert self.change(desk, made, title="Chores").version == 2
        assert desk.scheduler().round() == 1

    def test_to_disabled_and_back_makes_nothing_up(self, desk: Desk) -> None:
        made = desk.make()
        assert self.change(desk, made, enabled=False).next_run_at is None
        desk.at("2026-05-04 12:00:00")
        assert self.change(desk, made, enabled=True).next_run_at == utc("2026-05-05 09:00")


class TestByHand:
    def test_leaves_the_periods_as_they_are(self, desk: Desk) -> None:
        made = desk.make()
        desk.lab.as_owner(desk.owner, firing.run_now(desk.owner, made, KINDS))
        assert len(desk.jobs(made)) == 1
        assert desk.read(made).next_run_at == utc("2026-05-01 09:00")
        assert [(run.period_at, run.outcome) for run in desk.runs(made)] == [(None, "made")]


class TestDeleting:
    def test_leaves_the_jobs(self, desk: Desk) -> None:
        made = desk.make()
        desk.at("2026-05-01 09:00:00")
        desk.scheduler().round()
        desk.lab.as_owner(desk.owner, edit.delete(desk.owner, made))
        assert len(desk.jobs(made)) == 1
        with pytest.raises(ScheduleNotFound):
            desk.read(made)


class TestTheRecord:
    def test_is_pruned_after_ninety_days(self, desk: Desk) -> None:
        made = desk.make("* * * * *", catch_up="all")
        desk.pass_by(minutes=3)
        desk.scheduler().round()
        old = desk.runs(made)[0].id
        with desk.lab.stores.sql() as sql:
            sql.execute(
                "UPDATE schedule_runs SET at = now() - interval '91 days' WHERE id = %s", (old,)
            )
        desk.lab.as_engine(repair.prune())
        assert Counter(run.id == old for run in desk.runs(made)) == {False: 2}


class TestARelativeRequest:
    def test_is_of_the_month_before_its_own_period_however_late(self, desk: Desk) -> None:
        """A month of downtime: each report is of its own month, once, in the schedule's zone."""
        made = desk.make(
            "0 6 1 * *",
            kind=REPORT_EXPENSES.name,
            input={"period": {"relative": "previous_month"}, "currency": "AUD"},
            zone="Australia/Sydney",
            catch_up="all",
        )
        desk.at("2026-07-03 00:00")
        scheduler = desk.scheduler()
        while scheduler.round():
            pass
        with desk.lab.stores.sql() as sql:
            inputs = sql.execute(
                "SELECT input -> 'period' FROM job_payloads WHERE job_id = ANY(%s) ORDER BY job_id",
                (desk.jobs(made),),
            ).fetchall()
        assert [row[0] for row in inputs] == [
            {"from": "2026-05-01", "to": "2026-06-01"},
            {"from": "2026-06-01", "to": "2026-07-01"},
        ]

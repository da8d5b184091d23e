"""Cells, spellings and lines: what is read, what is refused, and what is left to its owner."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest

from core.kind import JobFailed, RunStopped
from tasks.import_expenses.engine import cells
from tests.tasks.import_expenses.reading import read, rows_of
from tests.tasks.plan_route.asking import FakeRun

FIXED = {"currency": "AUD", "category": "fuel"}


class TestAnAmount:
    @pytest.mark.parametrize(
        ("cell", "separator", "amount"),
        [
            ("182.50", ".", "182.5"),
            ("1,234,567.80", ".", "1234567.8"),
            ("1.234.567,80", ",", "1234567.8"),
            ("1 234,5", ",", "1234.5"),
            ("1'234.50", ".", "1234.5"),
            ("-12", ".", "-12"),
            ("−12,00", ",", "-12"),
            ("12.00-", ".", "-12"),
            ("(12.00)", ".", "-12"),
            ("+7", ",", "7"),
            (".5", ".", "0.5"),
            ("007", ".", "7"),
            ("1.005", ".", "1.005"),
        ],
    )
    def test_is_read(self, cell: str, separator: Literal[".", ","], amount: str) -> None:
        assert cells.amount(cell, separator) == amount

    @pytest.mark.parametrize(
        "cell", ["", "-", ".", "1,23", "12,34,567", "1.2.3", "1e3", "NaN", "$5"]
    )
    def test_is_refused_where_it_could_be_another(self, cell: str) -> None:
        with pytest.raises(cells.Unclear):
            cells.amount(cell, ".")

    @pytest.mark.parametrize(
        ("cell", "proven"),
        [
            ("1.234", set()),
            ("1,234", set()),
            ("12", set()),
            ("1.23", {"."}),
            ("-1,5", {","}),
            ("1,234.500", {"."}),
            ("1.234.567", {","}),
            ("0.123", {"."}),
            ("0,5000", {","}),
        ],
    )
    def test_proves_its_separator_or_not(self, cell: str, proven: set[str]) -> None:
        assert cells.separators_in(cell) == proven


class TestADate:
    @pytest.mark.parametrize(
        ("cell", "order"),
        [
            ("2026-01-14", "ymd"),
            ("20260114", "ymd"),
            ("2026/1/14", "ymd"),
            ("2026-01-14T10:30:00Z", "ymd"),
            ("14.01.2026", "dmy"),
            ("14.1.26", "dmy"),
            ("14-01-2026 10:30", "dmy"),
            ("1/14/2026", "mdy"),
        ],
    )
    def test_is_read(self, cell: str, order: Literal["ymd", "dmy", "mdy"]) -> None:
        assert cells.day(cell, order) == date(2026, 1, 14)
        assert cells.orders_of(cell, cells.ORDERS) == [order]

    def test_of_two_orders_is_left_open(self) -> None:
        assert cells.orders_of("03/04/2026", cells.ORDERS) == ["dmy", "mdy"]
        assert cells.orders_of("30.02.2026", cells.ORDERS) == []


class TestAFile:
    def write(self, folder: Path, text: str) -> Path:
        path = folder / "x.csv"
        path.write_text(text, newline="")
        return path

    def test_is_left_open_where_one_line_proves_the_other_order_wrong(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "date;amount\n03/04/2026;1,5\n13/04/2026;2,5\n")
        result = read(path, dry_run=True, fixed=FIXED).result
        assert (result.file.dates, result.file.decimal, result.wrong) == ("dmy", ",", 0)
        assert result.totals[0].amount == "4.00"

    def test_that_contradicts_itself_is_left_to_its_owner(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, 'date,amount\n2026-01-01,1.5\n2026-01-02,"2,50"\n')
        assert read(path, dry_run=True, fixed=FIXED).result.undecided == ["decimal"]
        with pytest.raises(JobFailed, match="IMPORT_UNDECIDED"):
            read(path, fixed=FIXED, columns={"spent_on": "date", "amount": "amount"})

    def test_says_how_many_errors_it_does_not_name(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "date,amount\n" + "2026-01-01,x\n" * 20)
        result = read(path, dry_run=True, fixed=FIXED, decimal=".", errors=5).result
        assert (result.wrong, len(result.errors), result.more_errors) == (20, 5, 15)

    def test_may_not_be_longer_than_one_commit(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "date,amount\n" + "2026-01-01,1\n" * 20)
        with pytest.raises(JobFailed, match="FILE_TOO_LONG"):
            read(path, dry_run=True, lines=19)

    def test_that_is_cut_off_in_a_quote_names_the_line(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, 'date,amount\n2026-01-01,1\n2026-01-02,"2\n')
        (error,) = read(path, dry_run=True, fixed=FIXED).result.errors
        assert error.line == 3
        assert "cannot be read" in error.message

    def test_may_hold_nul_and_long_cells(self, tmp_path: Path) -> None:
        long = "x" * 2_000_000
        path = self.write(
            tmp_path, f"date,amount,memo\n2026-01-01,1,a\0b\n2026-01-02,2,{long}\n2026-01-03,3,ok\n"
        )
        result = read(path, dry_run=True, fixed=FIXED).result
        assert [each.line for each in result.errors] == [2, 3]
        assert result.preview[0].expense["description"] == "ok"

    @pytest.mark.parametrize("text", ["," * 2000 + "\n1,2\n", "date\n" + "x" * 5_000_000])
    def test_of_another_kind_is_put_down_early(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(JobFailed, match="FILE_NOT_READABLE"):
            read(self.write(tmp_path, text), dry_run=True)

    def test_shows_no_nul(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "date,am\0unt\n2026-01-01,\0\n")
        columns = {"spent_on": "date", "amount": 2}
        result = read(path, dry_run=True, fixed=FIXED, columns=columns).result
        assert "\0" not in result.model_dump_json()
        assert result.errors[0].line == 2

    @pytest.mark.parametrize(
        ("options", "field", "message"),
        [
            ({"fixed": {**FIXED, "category": "old"}}, "category", "archived"),
            ({"fixed": {**FIXED, "trip": "Nowhere"}}, "trip", "no such trip"),
            ({"fixed": {**FIXED, "category": "Wine"}}, "category", "no such category"),
        ],
    )
    def test_points_only_at_what_is_there(
        self, options: Any, field: str, message: str, tmp_path: Path
    ) -> None:
        path = self.write(tmp_path, "date,amount\n2026-01-01,1\n")
        (error,) = read(path, dry_run=True, **options).result.errors
        assert error.field == field
        assert message in error.message

    def test_is_put_down_when_the_job_is_cancelled(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "date,amount\n" + "2026-01-01,1\n" * 20)
        with pytest.raises(RunStopped):
            read(path, run=FakeRun(cancel_after_s=0), dry_run=True)

    def test_reports_how_far_it_is(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "date,amount\n" + "2026-01-01,1\n" * 4500)
        run = FakeRun()
        columns = {"spent_on": 1, "amount": 2}
        checked = read(path, run=run, lines=9999, fixed=FIXED, columns=columns)
        seen = [each.fraction for each in run.reports if each.stage == "checking"]
        assert seen == sorted(seen)
        assert len(seen) == 3
        assert len(rows_of(checked)) == 4500

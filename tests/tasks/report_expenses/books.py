"""Books of one owner in the real tables, and the reports that are made of them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import openpyxl

from core.database import perform
from core.ids import new_id
from core.settings import get_settings
from services.artifacts.store import open_store
from services.books import finance
from services.books.expenses import LEDGER as EXPENSES
from services.books.incomes import LEDGER as INCOMES
from services.books.ledger import Ledger
from tasks.report_expenses.contract import ReportRequest, ReportResult
from tasks.report_expenses.making import make_report
from tests.lab import Lab
from tests.tasks.plan_route.asking import FakeRun

JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}

_COMMON: dict[str, Any] = {
    "currency": "AUD",
    "description": "",
    "note": "",
    "tags": [],
    "trip_id": None,
    "exchange": None,
}
EXPENSE: dict[str, Any] = _COMMON | {
    "category": "fuel",
    "spent_on": date(2026, 1, 14),
    "days": 1,
    "spent_at": None,
    "zone": None,
    "vendor": "",
    "payment_method": None,
    "place": None,
    "travellers": [],
}
INCOME: dict[str, Any] = _COMMON | {
    "category": "salary",
    "received_on": date(2026, 1, 20),
    "source": "",
}


@dataclass
class Made:
    """A report: its result, and its files by format."""

    result: ReportResult
    files: dict[str, bytes]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files["json"])
        return found

    @property
    def csv(self) -> list[dict[str, str]]:
        text = self.files["csv"].decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def sheet(self, name: str) -> list[tuple[Any, ...]]:
        """The values of a sheet as a spreadsheet shows them."""
        book = openpyxl.load_workbook(io.BytesIO(self.files["xlsx"]), data_only=True)
        return list(book[name].iter_rows(values_only=True))

    def lines_of(self, name: str, first: str) -> list[dict[str, Any]]:
        """The lines of a sheet up to its first gap or sum, by the heads of their columns."""
        head, *rows = self.sheet(name)
        found = []
        for row in rows:
            line = dict(zip(map(str, head), row, strict=True))
            if line[first] in (None, "Total"):
                break
            found.append(line)
        return found

    def lines(self, name: str = "Expenses") -> list[dict[str, Any]]:
        return self.lines_of(name, "Date")


@dataclass
class Books:
    """The books of somebody new."""

    lab: Lab
    base: str | None = "AUD"
    owner: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.owner = self.lab.make_user()
        if self.base is not None:
            self.lab.as_owner(self.owner, finance.put(self.owner, self.base, "Australia/Sydney"))

    def spend(self, amount: str, **columns: Any) -> UUID:
        return self.record(EXPENSES, EXPENSE | {"amount": amount} | columns)

    def earn(self, amount: str, **columns: Any) -> UUID:
        return self.record(INCOMES, INCOME | {"amount": amount} | columns)

    def record(self, ledger: Ledger[Any], *entries: dict[str, Any]) -> UUID:
        """Write entries as the door would; the id of the last."""
        with self.lab.app.transaction(self.owner) as session:
            for columns in entries:
                made = perform(session, ledger.record(self.owner, columns))
        return made.id

    def report(self, run: FakeRun | None = None, **request: Any) -> Made:
        asked = ReportRequest.model_validate(
            {"period": JANUARY, "formats": ["xlsx", "csv", "json"], **request}
        )
        run = run or FakeRun()
        result = make_report(
            asked,
            run,
            database=self.lab.app,
            store=open_store(get_settings()),
            owner_id=self.owner,
            job_id=new_id(),
        )
        return Made(result, {name.rpartition(".")[2]: run.files[name] for name in run.files})


def money(text: str | None) -> Decimal:
    return Decimal(text or 0)

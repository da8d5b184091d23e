"""What our own export writes, our import reads: every field of every expense, to the letter."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.money import exponent_of
from services.books.rates import UNCONVERTED
from tasks.export_books.engine import write_csv
from tasks.import_expenses.contract.expense import ExpenseNew
from tests.tasks.import_expenses.reading import EmptyBooks, read, rows_of
from tests.tasks.plan_route.asking import FakeRun

TRIP = UUID("0199a000-0000-7000-8000-000000000001")
RISKY = "=+-@'＝＋－＠;,\"[ab\u00a0 富é😀"
LINE = st.text(st.sampled_from(RISKY) | st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
NOTE = st.text(st.sampled_from(RISKY + "\r\n\t") | st.characters(exclude_categories=("Cs", "Cc")))


@st.composite
def expenses(draw: st.DrawFn) -> dict[str, Any]:
    code = draw(st.sampled_from(["AUD", "JPY", "KWD", "CLF", "EUR"]))
    units = draw(st.integers(-(10**9), 10**9))
    day = draw(st.dates(date(1971, 1, 1), date(2198, 1, 1)))
    at = draw(st.none() | st.times().map(lambda time: datetime.combine(day, time, UTC)))
    zone = "Australia/Sydney" if at else draw(st.none() | st.just("Etc/GMT+5"))
    degrees = st.floats(-90, 90, allow_nan=False)
    return {
        "currency": code,
        "amount": f"{Decimal(units).scaleb(-exponent_of(code)):f}",
        "category": draw(st.sampled_from(["fuel", "camping"])),
        "spent_on": at.astimezone(ZoneInfo("Australia/Sydney")).date() if at else day,
        "days": draw(st.integers(1, 366)),
        "zone": zone,
        "spent_at": at.isoformat() if at else None,
        "description": draw(LINE),
        "vendor": draw(LINE),
        "note": draw(NOTE),
        "trip_id": draw(st.none() | st.just(TRIP)),
        "tags": draw(st.lists(LINE.filter(bool), max_size=3)),
        "payment_method": draw(st.none() | LINE.filter(bool)),
        "place": draw(
            st.none() | st.fixed_dictionaries({"name": LINE, "lat": degrees, "lon": degrees})
        ),
        "travellers": draw(
            st.lists(
                st.fixed_dictionaries({"name": LINE.filter(bool), "weight": st.integers(1, 9)}),
                max_size=2,
                unique_by=lambda each: each["name"],
            )
        ),
        "exchange": draw(st.none() | st.just({"currency": "USD", "rate": "0.6543"})),
    }


def stored(expense: ExpenseNew) -> dict[str, Any]:
    """The row as an export finds it."""
    columns = expense.columns()
    return {
        **columns,
        **UNCONVERTED,
        "amount": Decimal(columns["amount"]),
        "trip": "A trip",
        "id": TRIP,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(expenses(), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_an_export_comes_back_unchanged(
    tmp_path: Path, wanted: list[dict[str, Any]], raw: bool, bom: bool
) -> None:
    made = [ExpenseNew.model_validate(each) for each in wanted]
    path = tmp_path / "expenses.csv"
    rows = map(stored, made)
    write_csv(path, "expenses", rows, len(made), raw=raw, bom=bom, run=FakeRun())
    checked = read(path, EmptyBooks([TRIP]))
    assert checked.result.file.guarded is not raw
    for row, expense in zip(rows_of(checked), made, strict=True):
        exact = expense.model_dump(mode="json")
        again = {name: row[name] for name in exact}
        assert Decimal(again.pop("amount")) == Decimal(exact.pop("amount"))
        assert again == exact


def test_an_export_for_people_holds_no_formula(tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://x","y")'
    expense = ExpenseNew.model_validate(
        {
            "currency": "AUD",
            "amount": "-12.5",
            "category": "fuel",
            "vendor": evil,
            "spent_on": "2026-01-14",
            "note": "+1\n=2",
            "tags": ["@a", "b"],
        }
    )
    path = tmp_path / "expenses.csv"
    write_csv(path, "expenses", [stored(expense)], 1, raw=False, bom=True, run=FakeRun())
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfDate,Amount,")
    assert content.endswith(b"\r\n")
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["Amount"], row["Vendor"]) == ("-12.50", "'" + evil)
    assert (row["Note"], row["Tags"]) == ("'+1\n=2", "'@a; b")

"""Exporting the books: the entries of the lists, as files that come back."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.api.test_expenses import WHOLE
from tests.api.test_imports import IMPORTS, expenses
from tests.conftest import User
from tests.trips import Trips

Json = dict[str, Any]
EXPORTS = "/api/v1/exports"
EXPENSES = "/api/v1/expenses"

pytestmark = pytest.mark.usefixtures("compute_worker")


async def export(user: User, **body: Any) -> tuple[Json, str]:
    """The job of an export, and its file."""
    answer = await user.http.post(EXPORTS, json=body, headers={"Prefer": "wait=20"})
    assert answer.status_code == 202, answer.text
    job = answer.json()["data"]
    assert job["status"] == "succeeded", job
    file = await user.http.get(job["artifacts"][0]["url"])
    return job, file.content.decode()


async def book(user: User) -> None:
    trip_id = await Trips(user).make()
    fuel = {"amount": "-3", "currency": "JPY", "category": "fuel", "spent_on": "2026-02-01"}
    for more in ({**WHOLE, "trip_id": trip_id, "vendor": "=cmd()"}, {**fuel, "note": "a\r\nb"}):
        assert (await user.http.post(EXPENSES, json=more)).status_code == 201


def apart(entry: Json) -> Json:
    """What its owner wrote."""
    return {k: v for k, v in entry.items() if k not in ("id", "created_at", "updated_at")}


class TestAnExport:
    async def test_has_a_row_for_each_entry_of_the_list(self, user: User) -> None:
        await user.http.put("/api/v1/finance/settings", json={"currency": "AUD"})
        await book(user)
        job, text = await export(user, sort="spent_on", raw=True)
        assert job["result"]["rows"] == 2
        assert job["result"]["artifact_id"] == job["artifacts"][0]["id"]
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        listed = await expenses(user)
        assert [row["id"] for row in rows] == [each["id"] for each in listed]
        assert [row["amount"] for row in rows] == ["182.50", "-3"]
        assert (rows[0]["trip_id"], rows[0]["vendor"]) == (listed[0]["trip_id"], "=cmd()")
        assert (rows[0]["base_amount"], rows[0]["fx_source"]) == ("182.50", "same")
        assert rows[1]["base_amount"] == ""
        _, text = await export(user, category="fuel", to="2026-02-01")
        assert text.count("\r\n") == 2
        assert "'=cmd()" in text

    @pytest.mark.parametrize("raw", [True, False])
    async def test_can_be_imported_again(self, raw: bool, user: User) -> None:
        await book(user)
        before = await expenses(user)
        job, _ = await export(user, raw=raw, bom=not raw)
        for entry in before:
            await user.http.delete(f"{EXPENSES}/{entry['id']}")
        body = {"file_id": job["artifacts"][0]["id"]}
        answer = await user.http.post(IMPORTS, json=body, headers={"Prefer": "wait=20"})
        assert answer.json()["data"]["status"] == "succeeded", answer.text
        assert list(map(apart, await expenses(user))) == list(map(apart, before))

    async def test_is_of_incomes_too(self, user: User) -> None:
        income = {"amount": "10", "currency": "AUD", "category": "salary", "source": "Ann"}
        await user.http.post("/api/v1/incomes", json={**income, "received_on": "2026-01-14"})
        job, text = await export(user, entries="incomes", currency="AUD")
        assert job["artifacts"][0]["name"] == "incomes.csv"
        head, row, _ = text.split("\r\n")
        assert head.startswith("Date,Amount,Currency,Category,Source,")
        assert row.startswith("2026-01-14,10.00,AUD,salary,Ann,")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"entries": "budgets"}, "entries"),
            ({"from": "2026-02-01", "to": "2026-02-01"}, "to"),
            ({"entries": "incomes", "payment_method": "card"}, "payment_method"),
            ({"entries": "incomes", "sort": "spent_on"}, "sort"),
            ({"min_amount": "1e3"}, "min_amount"),
            ({"page": 1}, "page"),
        ],
    )
    async def test_refuses_what_no_list_has(self, body: Json, field: str, user: User) -> None:
        answer = await user.http.post(EXPORTS, json=body)
        assert answer.status_code == 422
        assert set(answer.json()["field_errors"]) == {field}

"""Budgets over HTTP: what was spent is counted to the last minor unit, and once."""

from __future__ import annotations

from typing import Any

import pytest

from api.schemas.budgets import BudgetNew, BudgetRead
from services.books.budgets import BudgetView, month_of
from tests.conftest import User
from tests.stack import Stores
from tests.trips import Trips

Json = dict[str, Any]

BUDGETS = "/api/v1/budgets"
FUEL: Json = {"amount": "100", "currency": "AUD", "category": "fuel"}
JANUARY = "?on=2026-01-20"


async def spend(user: User, amount: str, **fields: Any) -> None:
    body = {"currency": "AUD", "category": "fuel", "spent_on": "2026-01-14", **fields}
    answer = await user.http.post("/api/v1/expenses", json={"amount": amount, **body})
    assert answer.status_code == 201, answer.text


async def make(user: User, **fields: Any) -> str:
    answer = await user.http.post(BUDGETS, json={**FUEL, **fields})
    assert answer.status_code == 201, answer.text
    BudgetRead.model_validate(answer.json()["data"])
    location: str = answer.headers["location"]
    return location


async def status(user: User, path: str) -> Json:
    found: Json = (await user.http.get(path + JANUARY)).json()["data"]["status"]
    return found


class TestBudgets:
    def test_have_the_fields_that_are_posted(self) -> None:
        assert set(BudgetView.WRITTEN) == set(BudgetNew.model_fields)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"amount": "0"}, "amount"),
            ({"amount": "-5"}, "amount"),
            ({"amount": "0.001"}, "amount"),
            ({"category": "yachts"}, "category"),
            ({"period": "trip"}, "period"),
            ({"period": "year"}, "period"),
            ({"alert_percent": 101}, "alert_percent"),
            ({"trip_id": "0199a000-0000-7000-8000-000000000000"}, "trip_id"),
        ],
    )
    async def test_name_what_is_wrong(self, change: Json, field: str, user: User) -> None:
        answer = await user.http.post(BUDGETS, json={**FUEL, **change})
        assert (answer.status_code, set(answer.json()["field_errors"])) == (422, {field})

    async def test_change_go_and_come_back(self, user: User) -> None:
        path = await make(user)
        answer = await user.http.patch(path, json={"amount": "50"}, headers={"If-Match": '"1"'})
        assert (answer.json()["data"]["amount"], answer.headers["etag"]) == ("50.00", '"2"')
        assert (await user.http.delete(path, headers={"If-Match": '"1"'})).status_code == 412
        assert (await user.http.delete(path)).status_code == 204
        assert (await user.http.get(path)).json()["error_code"] == "BUDGET_NOT_FOUND"
        assert (await user.http.get(f"{BUDGETS}?deleted=true")).json()["total"] == 1
        assert (await user.http.post(f"{path}/restore")).json()["data"]["version"] == 4


class TestWhatWasSpent:
    @pytest.mark.parametrize(
        ("amounts", "spent", "left", "fraction", "alert"),
        [
            ([], "0.00", "100.00", "0.0000", "none"),
            (["79.99"], "79.99", "20.01", "0.7999", "none"),
            (["50", "30"], "80.00", "20.00", "0.8000", "near"),
            (["100"], "100.00", "0.00", "1.0000", "near"),
            (["100", "0.01"], "100.01", "-0.01", "1.0001", "over"),
            (["150", "-60"], "90.00", "10.00", "0.9000", "near"),
        ],
    )
    async def test_is_set_against_it(
        self, amounts: list[str], spent: str, left: str, fraction: str, alert: str, user: User
    ) -> None:
        path = await make(user)
        for amount in amounts:
            await spend(user, amount)
        found = await status(user, path)
        assert (found["spent"]["amount"], found["left"]["amount"]) == (spent, left)
        assert (found["fraction"], found["alert"]) == (fraction, alert)

    async def test_is_of_its_month_category_and_trip(self, user: User) -> None:
        trip_id = await Trips(user).make()
        month, all_, of_trip = [
            await make(user),
            await make(user, category=None),
            await make(user, category=None, trip_id=trip_id, period="trip"),
        ]
        await spend(user, "1")
        await spend(user, "2", spent_on="2026-02-01")
        await spend(user, "4", category="food", spent_on="2026-01-31")
        await spend(user, "8", spent_on="2025-06-01", trip_id=trip_id)
        for path, spent in ((month, "1.00"), (all_, "5.00"), (of_trip, "8.00")):
            assert (await status(user, path))["spent"]["amount"] == spent
        assert ((await status(user, month))["from"], (await status(user, month))["to"]) == (
            "2026-01-01",
            "2026-02-01",
        )
        listed = (await user.http.get(BUDGETS + JANUARY)).json()["data"]
        assert [each["status"]["spent"]["amount"] for each in listed] == ["8.00", "5.00", "1.00"]

    async def test_is_the_share_of_the_month_of_what_is_spread(self, user: User) -> None:
        path = await make(user)
        await spend(user, "100", spent_on="2026-01-30", days=3)
        await spend(user, "-100", spent_on="2025-12-31", days=3)
        # 33.34 and 33.33 of the first; 33.33 and 33.33 of the second came back
        assert (await status(user, path))["spent"]["amount"] == "0.01"

    async def test_counts_what_is_converted_and_names_the_rest(self, user: User) -> None:
        await user.http.put("/api/v1/finance/settings", json={"currency": "AUD"})
        path = await make(user)
        await spend(user, "10", currency="USD", exchange={"currency": "AUD", "rate": "1.5"})
        await spend(user, "700", currency="JPY")
        found = await status(user, path)
        assert found["spent"]["amount"] == "15.00"
        assert found["unconverted"] == [{"amount": "700", "currency": "JPY"}]

    @pytest.mark.parametrize(
        ("day", "first", "end"),
        [
            ("2026-12-31", "2026-12-01", "2027-01-01"),
            ("2024-02-29", "2024-02-01", "2024-03-01"),
        ],
    )
    def test_is_counted_by_month(self, day: str, first: str, end: str) -> None:
        from datetime import date

        found = month_of(date.fromisoformat(day))
        assert found == (date.fromisoformat(first), date.fromisoformat(end))


class TestAUserWhoIsDeleted:
    async def test_takes_the_books_along(self, user: User, stores: Stores) -> None:
        """Their rows refer to trips, which go first."""
        trip_id = await Trips(user).make()
        await spend(user, "20", trip_id=trip_id)
        await make(user, trip_id=trip_id, period="trip")
        income = {"amount": "5", "currency": "AUD", "category": "salary", "trip_id": trip_id}
        income["received_on"] = "2026-01-14"
        answer = await user.http.post("/api/v1/incomes", json=income)
        assert answer.status_code == 201, answer.text
        with stores.sql() as sql:
            sql.execute("DELETE FROM users WHERE id = %s", (user.id,))

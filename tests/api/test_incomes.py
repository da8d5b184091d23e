"""Incomes and categories over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.schemas.incomes import IncomeNew, IncomeRead
from services.books.categories import key_of
from services.books.incomes import IncomeView
from tests.conftest import User
from tests.trips import Trips

Json = dict[str, Any]

INCOMES = "/api/v1/incomes"
CATEGORIES = "/api/v1/categories"
EXPENSES = "/api/v1/expenses"
PAY: Json = {"amount": "900", "currency": "AUD", "category": "salary", "received_on": "2026-01-31"}
WHOLE: Json = {
    **PAY,
    "amount": "900.00",
    "source": "Acme",
    "description": "January",
    "note": "late",
    "tags": ["job"],
    "exchange": {"currency": "USD", "rate": "0.66"},
}
WINE: Json = {"amount": "30", "currency": "AUD", "spent_on": "2026-01-31", "category": "wine"}


def fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


async def make(user: User, **changes: Any) -> Json:
    answer = await user.http.post(INCOMES, json={**PAY, **changes})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()["data"]
    return made


async def make_category(user: User, name: str, side: str = "expense") -> str:
    answer = await user.http.post(CATEGORIES, json={"name": name, "side": side})
    assert answer.status_code == 201, answer.text
    return f"{CATEGORIES}/{answer.json()['data']['id']}"


class TestIncomes:
    def test_have_the_fields_that_are_posted(self) -> None:
        assert set(IncomeView.WRITTEN) == set(IncomeNew.model_fields)

    async def test_are_read_as_they_were_made(self, user: User) -> None:
        trip_id = await Trips(user).make()
        answer = await user.http.post(INCOMES, json={**WHOLE, "trip_id": trip_id})
        made = answer.json()["data"]
        assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
        assert (await user.http.get(answer.headers["location"])).json()["data"] == made
        assert {**made, **WHOLE, "trip_id": trip_id} == made
        IncomeRead.model_validate(made)

    async def test_are_converted_into_the_base_currency(self, user: User) -> None:
        early = await make(user, exchange=WHOLE["exchange"])
        await user.http.put("/api/v1/finance/settings", json={"currency": "USD"})
        for income in (early, await make(user, exchange=WHOLE["exchange"])):
            read = (await user.http.get(f"{INCOMES}/{income['id']}")).json()["data"]
            assert read["converted"] == {
                "amount": "594.00",
                "currency": "USD",
                "rate": "0.66",
                "rate_date": "2026-01-31",
                "source": "user",
            }

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"amount": "1.005"}, "amount"),
            ({"category": "fuel"}, "category"),
            ({"received_on": None}, "received_on"),
            ({"trip_id": "0199a000-0000-7000-8000-000000000000"}, "trip_id"),
            ({"spent_on": "2026-01-31"}, "spent_on"),
        ],
    )
    async def test_name_what_is_wrong(self, change: Json, field: str, user: User) -> None:
        assert fields(await user.http.post(INCOMES, json={**PAY, **change})) == {field}

    @pytest.mark.parametrize(
        ("query", "amounts"),
        [
            ("", ["900.00", "5.00"]),
            ("sort=amount", ["5.00", "900.00"]),
            ("category=interest", ["5.00"]),
            ("from=2026-01-31", ["900.00"]),
            ("q=bank", ["5.00"]),
            ("tag=x", []),
        ],
    )
    async def test_are_listed(self, query: str, amounts: list[str], user: User) -> None:
        await make(user)
        await make(user, amount="5", category="interest", source="Bank", received_on="2026-01-02")
        page = (await user.http.get(f"{INCOMES}?{query}")).json()
        assert [each["amount"] for each in page["data"]] == amounts
        assert sum(each["count"] for each in page["totals"]) == page["total"] == len(amounts)

    async def test_change_go_and_come_back(self, user: User) -> None:
        path = f"{INCOMES}/{(await make(user))['id']}"
        answer = await user.http.patch(path, json={"amount": "-1"}, headers={"If-Match": '"1"'})
        assert answer.json()["data"]["amount"] == "-1.00"
        assert (await user.http.delete(path, headers={"If-Match": '"1"'})).status_code == 412
        assert (await user.http.delete(path)).status_code == 204
        assert (await user.http.get(path)).json()["error_code"] == "INCOME_NOT_FOUND"
        assert (await user.http.post(f"{path}/restore")).json()["data"]["version"] == 4


class TestCategories:
    async def test_begin_with_those_that_everybody_has(self, user: User) -> None:
        await make_category(user, "Wine")
        await make_category(user, "Tips", "income")
        page = (await user.http.get(f"{CATEGORIES}?page_size=200")).json()
        assert {"fuel", "groceries", "camping", "wine"} <= {each["key"] for each in page["data"]}
        assert page["total"] == len(page["data"])
        assert [each["name"] for each in page["data"] if not each["built_in"]] == ["Wine"]
        page = (await user.http.get(f"{CATEGORIES}?side=income&page_size=1&page=11")).json()
        assert [each["key"] for each in page["data"]] == ["tips"]

    async def test_of_ones_own_take_entries_until_they_are_archived(self, user: User) -> None:
        assert fields(await user.http.post(EXPENSES, json=WINE)) == {"category"}
        path = await make_category(user, "Wine")
        made = await user.http.post(EXPENSES, json=WINE)
        assert made.status_code == 201
        assert (await user.http.delete(path)).status_code == 204
        assert fields(await user.http.post(EXPENSES, json=WINE)) == {"category"}
        answer = await user.http.patch(made.headers["location"], json={"amount": "31"})
        assert answer.json()["data"]["category"] == "wine"
        archived = (await user.http.get(f"{CATEGORIES}?archived=true")).json()
        assert [each["key"] for each in archived["data"]] == ["wine"]
        assert (await user.http.post(f"{path}/restore")).status_code == 200
        assert (await user.http.post(EXPENSES, json=WINE)).status_code == 201

    async def test_belong_to_one_person_and_side(self, user: User, sign_up: Any) -> None:
        await make_category(user, "Wine", "income")
        await make_category(await sign_up(), "Wine")
        assert fields(await user.http.post(EXPENSES, json=WINE)) == {"category"}

    async def test_keep_their_key_when_they_are_renamed(self, user: User) -> None:
        path = await make_category(user, "Wine")
        answer = await user.http.patch(path, json={"name": "Wine & cheese"})
        found = answer.json()["data"]
        assert (found["key"], found["name"], found["version"]) == ("wine", "Wine & cheese", 2)

    @pytest.mark.parametrize("name", ["Wine", "wine!", "Fuel"])
    async def test_come_once(self, name: str, user: User) -> None:
        await user.http.delete(await make_category(user, "Wine"))
        answer = await user.http.post(CATEGORIES, json={"name": name})
        assert (answer.status_code, answer.json()["error_code"]) == (409, "CATEGORY_EXISTS")

    async def test_want_a_name(self, user: User) -> None:
        body = {"name": "  ", "side": "left"}
        assert fields(await user.http.post(CATEGORIES, json=body)) == {"name", "side"}

    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("Wine & cheese", "wine_cheese"),
            ("Café", "café"),
            ("富士見", "富士見"),
            ("☕", "category"),
        ],
    )
    def test_have_a_key_of_their_name(self, name: str, key: str) -> None:
        assert key_of(name) == key

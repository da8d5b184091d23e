"""Expenses over HTTP: exact, found, added up, shared; by their owner alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.schemas.expenses import ExpenseNew, ExpenseRead
from services.books.expenses import ExpenseView
from tests.conftest import User
from tests.trips import TRIPS, Trips

Json = dict[str, Any]

EXPENSES = "/api/v1/expenses"
FUEL: Json = {"amount": "182.50", "currency": "AUD", "category": "fuel", "spent_on": "2026-01-14"}
WHOLE: Json = {
    **FUEL,
    "description": "Diesel, 95 l",
    "vendor": "富士見 servo",
    "tags": ["tax", "diesel"],
    "payment_method": "card",
    "note": "Ask for\nthe receipt.",
    "place": {"name": "Gundagai", "lat": -35.06, "lon": 148.1},
    "zone": "Australia/Sydney",
    "spent_at": "2026-01-13T22:10:00Z",
    "days": 3,
    "travellers": [{"name": "Ann", "weight": 2}, {"name": "Bo", "weight": 1}],
}


async def make(user: User, **fields: Any) -> Json:
    answer = await user.http.post(EXPENSES, json={**FUEL, **fields})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()["data"]
    return made


def fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


class TestMaking:
    async def test_needs_four_fields(self, user: User) -> None:
        answer = await user.http.post(EXPENSES, json=FUEL)
        expense = answer.json()["data"]
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{EXPENSES}/{expense['id']}"
        assert answer.headers["etag"] == '"1"'
        assert {**expense, **FUEL} == expense
        assert (expense["tags"], expense["days"], expense["trip_id"]) == ([], 1, None)

    async def test_answers_with_what_is_then_read(self, user: User) -> None:
        trip_id = await Trips(user).make()
        answer = await user.http.post(EXPENSES, json={**WHOLE, "trip_id": trip_id})
        made = answer.json()["data"]
        assert (await user.http.get(answer.headers["location"])).json()["data"] == made
        assert {**made, **WHOLE, "trip_id": trip_id} == made
        ExpenseRead.model_validate(made)

    @pytest.mark.parametrize(
        ("amount", "currency", "shown"),
        [
            ("182.5", "AUD", "182.50"),
            ("-12", "AUD", "-12.00"),
            ("0", "AUD", "0.00"),
            ("-0", "AUD", "0.00"),
            ("1000", "JPY", "1000"),
            ("1.5", "KWD", "1.500"),
            ("999999999999.9999", "CLF", "999999999999.9999"),
            ("0007.10", "USD", "7.10"),
        ],
    )
    async def test_keeps_an_amount_to_the_last_decimal(
        self, amount: str, currency: str, shown: str, user: User
    ) -> None:
        assert (await make(user, amount=amount, currency=currency))["amount"] == shown

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"amount": "1.005"}, "amount"),
            ({"amount": "1.5", "currency": "JPY"}, "amount"),
            ({"amount": "1.0", "currency": "JPY"}, "amount"),
            ({"amount": 182.5}, "amount"),
            ({"amount": "1e3"}, "amount"),
            ({"amount": "NaN"}, "amount"),
            ({"amount": ""}, "amount"),
            ({"amount": "1234567890123"}, "amount"),
            ({"amount": None}, "amount"),
            ({"currency": "XXX"}, "currency"),
            ({"currency": "aud"}, "currency"),
            ({"category": "yachts"}, "category"),
            ({"category": ""}, "category"),
            ({"spent_on": "14.01.2026"}, "spent_on"),
            ({"spent_on": "2026-02-30"}, "spent_on"),
            ({"days": 0}, "days"),
            ({"days": 367}, "days"),
            ({"tags": ["x"] * 21}, "tags"),
            ({"tags": [""]}, "tags.0"),
            ({"trip_id": "0199a000-0000-7000-8000-000000000000"}, "trip_id"),
            ({"trip_id": "mine"}, "trip_id"),
            ({"place": {"lat": 91, "lon": 0}}, "place.lat"),
            ({"zone": "Mars/Olympus"}, "zone"),
            ({"spent_at": "2026-01-14T00:00:00Z"}, "spent_at"),
            ({"spent_at": "2026-01-14T23:00:00Z", "zone": "Australia/Sydney"}, "spent_at"),
            ({"travellers": [{"name": "A"}, {"name": "A"}]}, "travellers"),
            ({"travellers": [{"name": "A", "weight": 0}]}, "travellers.0.weight"),
            ({"owner_id": "x"}, "owner_id"),
        ],
    )
    async def test_refuses_what_no_book_could_hold(
        self, change: Json, field: str, user: User
    ) -> None:
        assert fields(await user.http.post(EXPENSES, json={**FUEL, **change})) == {field}

    async def test_names_every_wrong_field(self, user: User) -> None:
        body = {"amount": "1.005", "currency": "AUD", "category": "", "spent_on": "x"}
        assert fields(await user.http.post(EXPENSES, json=body)) == {
            *("amount", "category", "spent_on")
        }
        lost = {"category": "yachts", "trip_id": "0199a000-0000-7000-8000-000000000000"}
        assert fields(await user.http.post(EXPENSES, json={**FUEL, **lost})) == set(lost)

    async def test_knows_no_trip_of_others_and_no_deleted_one(
        self, user: User, sign_up: Any
    ) -> None:
        other = await Trips(await sign_up()).make()
        gone = await Trips(user).make()
        await user.http.delete(f"{TRIPS}/{gone}")
        for trip_id in (other, gone):
            answer = await user.http.post(EXPENSES, json={**FUEL, "trip_id": trip_id})
            assert fields(answer) == {"trip_id"}

    async def test_twice_with_a_key_makes_one(self, user: User) -> None:
        headers = {"Idempotency-Key": "k"}
        first = await user.http.post(EXPENSES, json=FUEL, headers=headers)
        # the same amount, spelled otherwise, is the same request
        again = {**FUEL, "amount": "182.5"}
        second = await user.http.post(EXPENSES, json=again, headers=headers)
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
        assert (await user.http.get(EXPENSES)).json()["total"] == 1
        other = await user.http.post(EXPENSES, json={**FUEL, "amount": "1"}, headers=headers)
        assert other.json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"


class TestTheList:
    async def book(self, user: User) -> str:
        trip_id = await Trips(user).make()
        await make(user, amount="0.10", vendor="a", tags=["tax"], trip_id=trip_id)
        await make(user, amount="0.20", vendor="b", spent_on="2026-01-20", payment_method="cash")
        await make(user, amount="-5", vendor="c", category="food", spent_on="2026-02-01")
        await make(user, amount="700", vendor="d 100%", currency="JPY", spent_on="2026-01-15")
        gone = await make(user, amount="9", vendor="gone")
        await user.http.delete(f"{EXPENSES}/{gone['id']}")
        return trip_id

    @pytest.mark.parametrize(
        ("query", "vendors"),
        [
            ("", ["c", "b", "d 100%", "a"]),
            ("sort=spent_on", ["a", "d 100%", "b", "c"]),
            ("sort=amount", ["c", "a", "b", "d 100%"]),
            ("sort=-amount", ["d 100%", "b", "a", "c"]),
            ("sort=created_at", ["a", "b", "c", "d 100%"]),
            ("category=food", ["c"]),
            ("tag=tax", ["a"]),
            ("payment_method=cash", ["b"]),
            ("currency=JPY", ["d 100%"]),
            ("from=2026-01-15&to=2026-02-01", ["b", "d 100%"]),
            ("min_amount=0.20", ["b", "d 100%"]),
            ("max_amount=0.1", ["c", "a"]),
            ("q=100%25", ["d 100%"]),
            ("q=A", ["a"]),
            ("deleted=true", ["gone"]),
            ("page_size=1&page=2", ["b"]),
        ],
    )
    async def test_sorts_and_filters(self, query: str, vendors: list[str], user: User) -> None:
        await self.book(user)
        page = (await user.http.get(f"{EXPENSES}?{query}")).json()
        assert [expense["vendor"] for expense in page["data"]] == vendors

    async def test_finds_those_of_a_trip(self, user: User) -> None:
        trip_id = await self.book(user)
        page = (await user.http.get(f"{EXPENSES}?trip_id={trip_id}")).json()
        assert [expense["vendor"] for expense in page["data"]] == ["a"]

    async def test_adds_up_each_currency_over_all_pages(self, user: User) -> None:
        await self.book(user)
        page = (await user.http.get(f"{EXPENSES}?page_size=1")).json()
        assert (page["total"], len(page["data"])) == (4, 1)
        assert page["totals"] == [
            {"amount": "-4.70", "currency": "AUD", "count": 3},
            {"amount": "700", "currency": "JPY", "count": 1},
        ]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("sort=vendor", "sort"),
            ("currency=XXX", "currency"),
            ("min_amount=much", "min_amount"),
            ("from=today", "from"),
            ("from=2026-02-01&to=2026-02-01", "to"),
            ("trip_id=x", "trip_id"),
        ],
    )
    async def test_refuses_what_it_cannot(self, query: str, field: str, user: User) -> None:
        assert fields(await user.http.get(f"{EXPENSES}?{query}")) == {field}


class TestChanging:
    async def test_merges_what_is_sent(self, user: User) -> None:
        made = (await user.http.post(EXPENSES, json=WHOLE)).json()["data"]
        path = f"{EXPENSES}/{made['id']}"
        patch: Json = {"amount": "-3", "place": {"name": "Tumut"}, "vendor": None, "tags": []}
        answer = await user.http.patch(path, json=patch)
        changed = answer.json()["data"]
        assert answer.headers["etag"] == '"2"'
        assert (changed["amount"], changed["vendor"], changed["tags"]) == ("-3.00", "", [])
        assert changed["place"] == {**WHOLE["place"], "name": "Tumut"}
        assert (await user.http.get(path)).json()["data"] == changed

    async def test_to_the_same_makes_no_version(self, user: User) -> None:
        made = (await user.http.post(EXPENSES, json=WHOLE)).json()["data"]
        answer = await user.http.patch(f"{EXPENSES}/{made['id']}", json=WHOLE)
        assert answer.json()["data"] == made

    async def test_of_the_currency_checks_the_amount_again(self, user: User) -> None:
        path = f"{EXPENSES}/{(await make(user))['id']}"
        assert fields(await user.http.patch(path, json={"currency": "JPY"})) == {"amount"}
        answer = await user.http.patch(path, json={"currency": "JPY", "amount": "182"})
        assert answer.json()["data"]["amount"] == "182"

    async def test_leaves_a_trip_alone_that_was_deleted_since(self, user: User) -> None:
        trip_id = await Trips(user).make()
        path = f"{EXPENSES}/{(await make(user, trip_id=trip_id))['id']}"
        await user.http.delete(f"{TRIPS}/{trip_id}")
        answer = await user.http.patch(path, json={"note": "x"})
        assert (answer.status_code, answer.json()["data"]["trip_id"]) == (200, trip_id)

    async def test_is_guarded_by_the_version(self, user: User) -> None:
        path = f"{EXPENSES}/{(await make(user))['id']}"
        await user.http.patch(path, json={"note": "x"})
        stale = {"If-Match": '"1"'}
        assert (await user.http.patch(path, json={}, headers=stale)).status_code == 412
        assert (await user.http.delete(path, headers=stale)).status_code == 412
        assert (await user.http.delete(path, headers={"If-Match": '"2"'})).status_code == 204

    async def test_what_is_known_already_is_not_sent_again(self, user: User) -> None:
        path = f"{EXPENSES}/{(await make(user))['id']}"
        answer = await user.http.get(path, headers={"If-None-Match": '"1"'})
        assert (answer.status_code, answer.text) == (304, "")


class TestDeleting:
    async def test_can_be_undone(self, user: User) -> None:
        made = await make(user)
        path = f"{EXPENSES}/{made['id']}"
        assert (await user.http.delete(path)).status_code == 204
        assert (await user.http.get(path)).json()["error_code"] == "EXPENSE_NOT_FOUND"
        assert (await user.http.get(EXPENSES)).json()["totals"] == []
        for _ in range(2):
            answer = await user.http.post(f"{path}/restore")
            assert (answer.status_code, answer.json()["data"]["version"]) == (200, 3)
        assert (await user.http.get(path)).json()["data"]["amount"] == made["amount"]


class TestSharing:
    async def test_is_exact_over_days_and_travellers(self, user: User) -> None:
        made = await make(
            user,
            amount="100",
            days=3,
            travellers=[{"name": "Ann", "weight": 2}, {"name": "Bo"}],
        )
        shares = (await user.http.get(f"{EXPENSES}/{made['id']}/split")).json()["data"]
        assert [(each["date"], each["amount"]) for each in shares["days"]] == [
            ("2026-01-14", "33.34"),
            ("2026-01-15", "33.33"),
            ("2026-01-16", "33.33"),
        ]
        assert [(each["name"], each["amount"]) for each in shares["travellers"]] == [
            ("Ann", "66.67"),
            ("Bo", "33.33"),
        ]


class TestFields:
    def test_are_those_that_are_posted(self) -> None:
        assert set(ExpenseView.WRITTEN) == set(ExpenseNew.model_fields)

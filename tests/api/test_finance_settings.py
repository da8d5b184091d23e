"""The base currency: every expense keeps the rate at which it was converted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import User
from tests.stack import Stores

Json = dict[str, Any]

EXPENSES = "/api/v1/expenses"
SETTINGS = "/api/v1/finance/settings"
FUEL: Json = {"amount": "100", "currency": "USD", "category": "fuel", "spent_on": "2026-01-17"}


@pytest.fixture(autouse=True)
def rates(stores: Stores) -> Iterator[None]:
    """Friday's; the 17th is a Saturday."""
    with stores.sql() as sql:
        sql.execute(
            "INSERT INTO fx_rates VALUES ('USD', '2026-01-16', 1.1), ('AUD', '2026-01-16', 1.65),"
            " ('JPY', '2026-01-16', 176), ('USD', '2026-01-19', 1.2)"
        )
        yield
        sql.execute("DELETE FROM fx_rates")


async def make(user: User, **fields: Any) -> Json:
    answer = await user.http.post(EXPENSES, json={**FUEL, **fields})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()["data"]
    return made


async def base(user: User, currency: str | None) -> None:
    answer = await user.http.put(SETTINGS, json={"currency": currency})
    assert answer.status_code == 200, answer.text


async def converted(user: User, expense: Json) -> Any:
    answer = await user.http.get(f"{EXPENSES}/{expense['id']}")
    return answer.json()["data"]["converted"]


class TestSettings:
    async def test_are_none_until_they_are_set(self, user: User) -> None:
        answer = await user.http.get(SETTINGS)
        assert answer.headers["etag"] == '"0"'
        assert answer.json()["data"] == {"currency": None, "zone": "UTC", "version": 0}
        body = {"currency": "AUD", "zone": "Australia/Sydney"}
        answer = await user.http.put(SETTINGS, json=body, headers={"If-Match": '"0"'})
        assert answer.json()["data"] == {**body, "version": 1}
        assert (await user.http.get(SETTINGS)).json() == answer.json()
        stale = await user.http.put(SETTINGS, json=body, headers={"If-Match": '"0"'})
        assert stale.status_code == 412

    async def test_name_what_they_cannot_be(self, user: User) -> None:
        body = {"currency": "XAU", "zone": "Moon"}
        answer = await user.http.put(SETTINGS, json=body)
        assert set(answer.json()["field_errors"]) == {"currency", "zone"}


class TestConverting:
    async def test_takes_the_reference_rate_of_the_day_or_before(self, user: User) -> None:
        await base(user, "AUD")
        assert (await make(user))["converted"] == {
            "amount": "150.00",
            "currency": "AUD",
            "rate": "1.5",
            "rate_date": "2026-01-16",
            "source": "reference",
        }

    @pytest.mark.parametrize(
        ("currency", "amount", "rate"),
        [("EUR", "90.91", "0.9090909091"), ("JPY", "16000", "160"), ("USD", "100.00", "1")],
    )
    async def test_rounds_to_the_base_currency(
        self, currency: str, amount: str, rate: str, user: User
    ) -> None:
        await base(user, currency)
        found = (await make(user))["converted"]
        assert (found["amount"], found["rate"]) == (amount, rate)

    async def test_lets_the_owners_own_rate_win(self, user: User) -> None:
        await base(user, "AUD")
        exchange = {"currency": "AUD", "rate": "1.5321"}
        found = (await make(user, exchange=exchange))["converted"]
        assert (found["amount"], found["source"]) == ("153.21", "user")

    @pytest.mark.parametrize(
        "fields", [{"currency": "THB"}, {"spent_on": "2026-01-15"}, {"spent_on": "2026-01-30"}]
    )
    async def test_without_a_rate_is_not_one_to_one(self, fields: Json, user: User) -> None:
        await base(user, "AUD")
        assert (await make(user, **fields))["converted"] is None

    async def test_without_a_base_currency_is_not_done(self, user: User) -> None:
        assert (await make(user))["converted"] is None

    @pytest.mark.parametrize("rate", ["0", "0.000", "-1", "NaN", "Infinity", "1e3", ""])
    async def test_refuses_rates_that_are_none(self, rate: str, user: User) -> None:
        body = {**FUEL, "exchange": {"currency": "AUD", "rate": rate}}
        answer = await user.http.post(EXPENSES, json=body)
        assert set(answer.json()["field_errors"]) == {"exchange.rate"}

    async def test_beyond_all_bounds_is_not_done(self, user: User) -> None:
        await base(user, "JPY")
        assert (await make(user, amount="999999999999"))["converted"] is None


class TestAFrozenRate:
    async def test_stays_when_rates_change(self, user: User, stores: Stores) -> None:
        await base(user, "AUD")
        expense = await make(user)
        with stores.sql() as sql:
            sql.execute("UPDATE fx_rates SET per_euro = 9 WHERE currency = 'AUD'")
        path = f"{EXPENSES}/{expense['id']}"
        changed = (await user.http.patch(path, json={"amount": "10"})).json()["data"]
        assert (changed["converted"]["amount"], changed["converted"]["rate"]) == ("15.00", "1.5")
        await base(user, "AUD")
        assert (await converted(user, expense))["rate"] == "1.5"

    async def test_goes_when_the_day_changes(self, user: User) -> None:
        await base(user, "USD")
        expense = await make(user, currency="EUR")
        assert expense["converted"]["rate"] == "1.1"
        path = f"{EXPENSES}/{expense['id']}"
        changed = (await user.http.patch(path, json={"spent_on": "2026-01-20"})).json()["data"]
        assert (changed["converted"]["rate"], changed["converted"]["rate_date"]) == (
            "1.2",
            "2026-01-19",
        )


class TestAnotherBaseCurrency:
    async def test_converts_all_anew(self, user: User) -> None:
        own = {"currency": "AUD", "rate": "2"}
        first, second = await make(user), await make(user, exchange=own)
        lost = await make(user, currency="THB")
        await base(user, "AUD")
        assert (await converted(user, first))["amount"] == "150.00"
        assert (await converted(user, second))["source"] == "user"
        assert await converted(user, lost) is None
        await base(user, "JPY")
        # a rate into Australian dollars says nothing about yen
        for each in (first, second):
            assert (await converted(user, each))["amount"] == "16000"
        await base(user, None)
        assert await converted(user, first) is None

    async def test_makes_new_versions_of_what_it_changed_alone(self, user: User) -> None:
        first, lost = await make(user), await make(user, currency="THB")
        await base(user, "AUD")
        for each, version in ((first, 2), (lost, 1)):
            answer = await user.http.get(f"{EXPENSES}/{each['id']}")
            assert answer.json()["data"]["version"] == version

    async def test_finds_later_what_had_no_rate(self, user: User, stores: Stores) -> None:
        await base(user, "AUD")
        expense = await make(user, currency="THB")
        with stores.sql() as sql:
            sql.execute("INSERT INTO fx_rates VALUES ('THB', '2026-01-16', 33)")
        await base(user, "AUD")
        assert (await converted(user, expense))["amount"] == "5.00"

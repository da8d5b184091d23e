"""The commit of an import: written as it was checked, or not at all."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from core.ids import new_id
from services.books import categories, finance, imports
from services.trips.views import RECORDS
from tests.lab import Lab


def rows(count: int = 3, **fields: Any) -> str:
    row = {
        "amount": "1.50",
        "currency": "AUD",
        "exponent": 2,
        "category": "fuel",
        "days": 1,
        "spent_on": "2026-01-14",
        "description": "",
        "vendor": "BP",
        "note": "",
        "tags": ["a", 'b "c"'],
        "travellers": [],
        "place": {"name": "", "lat": 1, "lon": 2},
    }
    return json.dumps([{**row, "id": str(new_id()), **fields} for _ in range(count)])


def write(lab: Lab, owner: UUID, *batches: str, **checked: Any) -> None:
    given: dict[str, Any] = {"base": None, "keys": {"fuel"}, "trips": set(), "made": {}, **checked}
    lab.as_owner(owner, imports.write(owner, batches, **given))


def count(lab: Lab, owner: UUID) -> int:
    return int(lab.stores.one("SELECT count(*) FROM expenses WHERE owner_id = %s", owner))


def a_trip(lab: Lab, owner: UUID) -> UUID:
    return lab.as_owner(owner, RECORDS.create(owner, {"title": "Up", "end": "start"})).id


class TestWriting:
    def test_is_of_all_batches_for_their_owner_alone(self, lab: Lab, owner: UUID) -> None:
        write(lab, owner, rows(), rows(2))
        assert count(lab, owner) == 5
        assert lab.stores.one(
            "SELECT tags[2] || (place ->> 'lat') FROM expenses WHERE owner_id = %s LIMIT 1", owner
        ) == ('b "c"1')
        assert count(lab, lab.make_user()) == 0

    def test_makes_new_categories_that_others_may_have_made_meanwhile(
        self, lab: Lab, owner: UUID
    ) -> None:
        made = {"wine": "Wine", "cheese": "Cheese"}
        new = {"name": "Wine", "side": "expense"}
        lab.as_owner(owner, categories.create(owner, new))
        write(lab, owner, rows(category="wine"), keys={"wine", "fuel"}, made=made)
        own = lab.as_owner(owner, categories.all_own(owner))
        assert [each.key for each in own] == ["cheese", "wine"]

    @pytest.mark.parametrize(
        "checked", [{"base": "AUD"}, {"keys": {"fuel", "gone"}}, {"trips": {UUID(int=7)}}]
    )
    def test_is_refused_where_the_books_have_changed(
        self, checked: dict[str, Any], lab: Lab, owner: UUID
    ) -> None:
        with pytest.raises(imports.BooksChanged):
            write(lab, owner, rows(), **checked)
        assert count(lab, owner) == 0

    def test_is_refused_for_anothers_trip(self, lab: Lab, owner: UUID) -> None:
        trip_id = a_trip(lab, lab.make_user())
        with pytest.raises(imports.BooksChanged):
            write(lab, owner, rows(trip_id=str(trip_id)), trips={trip_id})
        own = a_trip(lab, owner)
        write(lab, owner, rows(trip_id=str(own)), trips={own})
        assert count(lab, owner) == 3

    def test_is_in_the_base_currency_of_that_moment(self, lab: Lab, owner: UUID) -> None:
        lab.as_owner(owner, finance.put(owner, "AUD", "UTC"))
        write(lab, owner, rows(), base="AUD")
        with pytest.raises(imports.BooksChanged):
            write(lab, owner, rows())
        assert count(lab, owner) == 3

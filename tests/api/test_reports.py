"""Reports over HTTP: what may be asked, what comes out, and what is made only once."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any

import pypdfium2
import pytest

from tests.conftest import User
from tests.receipts import RECEIPTS, made, pdf
from tests.stack import Child
from tests.trips import Trips

Json = dict[str, Any]

REPORTS = "/api/v1/reports"
JANUARY: Json = {
    "period": {"from": "2026-01-01", "to": "2026-02-01"},
    "currency": "AUD",
    "zone": "Australia/Sydney",
}


async def spend(user: User, amount: str, **fields: Any) -> None:
    body = {"currency": "AUD", "category": "fuel", "spent_on": "2026-01-14", **fields}
    answer = await user.http.post("/api/v1/expenses", json={"amount": amount, **body})
    assert answer.status_code == 201, answer.text


async def reported(user: User, **fields: Any) -> Json:
    """The job of a report, once it has succeeded."""
    answer = await user.http.post(
        REPORTS, json={**JANUARY, **fields}, headers={"Prefer": "wait=25"}
    )
    assert answer.status_code == 202, answer.text
    job: Json = (await user.http.get(answer.headers["location"])).json()["data"]
    assert job["status"] == "succeeded", job["error"]
    return job


async def refused(user: User, **fields: Any) -> Json:
    answer = await user.http.post(REPORTS, json={**JANUARY, **fields})
    assert answer.status_code == 422, answer.text
    found: Json = answer.json()
    return found


class TestWhatMayBeAsked:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"period": None}, "period"),
            ({"period": {"from": "2026-02-01", "to": "2026-02-01"}}, "period.to"),
            ({"period": {"from": "2026-02-30", "to": "2026-03-01"}}, "period.from"),
            ({"period": {"relative": "next_month"}}, "period.relative"),
            ({"currency": "XXX"}, "currency"),
            ({"zone": "Mars/Base"}, "zone"),
            ({"locale": "en_AU; rm"}, "locale"),
            ({"formats": []}, "formats"),
            ({"formats": ["docx"]}, "formats.0"),
            ({"filters": {"colours": []}}, "filters.colours"),
            ({"receipts": "yes"}, "receipts"),
        ],
    )
    async def test_is_said_field_by_field(self, user: User, change: Json, field: str) -> None:
        assert set((await refused(user, **change))["field_errors"]) == {field}

    async def test_names_all_that_is_wrong_at_once(self, user: User) -> None:
        wrong = await refused(user, period=None, currency="?", zone="?")
        assert set(wrong["field_errors"]) == {"period", "currency", "zone"}

    async def test_needs_a_currency_from_somewhere(self, user: User) -> None:
        assert set((await refused(user, currency=None))["field_errors"]) == {"currency"}
        await user.http.put("/api/v1/finance/settings", json={"currency": "NZD"})
        answer = await user.http.post(REPORTS, json={**JANUARY, "currency": None, "zone": None})
        asked = answer.json()["data"]["input"]
        assert (asked["currency"], asked["zone"]) == ("NZD", "UTC")

    async def test_is_one_of_the_own_trips(self, user: User, sign_up: Any) -> None:
        trip_id = await Trips(await sign_up()).make()
        answer = await user.http.post(REPORTS, json={"trip_id": trip_id, "currency": "AUD"})
        assert (answer.status_code, answer.json()["error_code"]) == (404, "TRIP_NOT_FOUND")

    async def test_may_be_relative_to_today(self, user: User) -> None:
        answer = await user.http.post(
            REPORTS, json={**JANUARY, "period": {"relative": "previous_month"}}
        )
        period = answer.json()["data"]["input"]["period"]
        assert set(period) == {"from", "to"}
        assert period["from"].endswith("-01")

    async def test_has_a_key(self, user: User) -> None:
        headers = {"Idempotency-Key": "january"}
        first = await user.http.post(REPORTS, json=JANUARY, headers=headers)
        again = await user.http.post(REPORTS, json=JANUARY, headers=headers)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["data"]["id"] == first.json()["data"]["id"]

    async def test_may_be_one_of_a_batch(self, user: User) -> None:
        jobs = [{"kind": "report_expenses", "input": each} for each in (JANUARY, {})]
        answer = await user.http.post("/api/v1/jobs:batch", json={"jobs": jobs})
        assert set(answer.json()["field_errors"]) == {"jobs.1.input.period"}
        answer = await user.http.post("/api/v1/jobs:batch", json={"jobs": jobs[:1]})
        assert answer.status_code == 202

    async def test_may_be_scheduled(self, user: User) -> None:
        schedule = {
            "kind": "report_expenses",
            "input": {"period": {"relative": "previous_month"}, "currency": "AUD"},
            "cron": "0 6 1 * *",
            "zone": "Australia/Sydney",
        }
        answer = await user.http.post("/api/v1/schedules", json=schedule)
        assert answer.status_code == 201, answer.text
        made = answer.json()["data"]
        assert made["input"]["period"]["relative"] == "previous_month"
        job = (await user.http.post(made["links"]["run"])).json()["data"]
        assert set(job["input"]["period"]) == {"from", "to"}


class TestWhatComesOut:
    async def test_is_files_that_agree(self, user: User, compute_worker: Child) -> None:
        await user.http.put("/api/v1/finance/settings", json={"currency": "AUD"})
        await spend(user, "182.50", description="Diesel", tags=["work"])
        await spend(user, "17.5", category="food")
        await spend(user, "900", currency="XPF")
        job = await reported(user, tags=["mine"])
        result = job["result"]
        assert job["tags"] == ["mine"]
        assert [each["id"] for each in job["artifacts"]] == [
            each["id"] for each in result["artifacts"]
        ]
        assert [each["name"] for each in result["artifacts"]] == [
            f"expenses-2026-01.{ending}" for ending in ("pdf", "xlsx", "csv", "json")
        ]
        assert result["totals"]["spent"] == {"amount": "200.00", "currency": "AUD"}
        assert (result["rows"], result["omitted_rows"]["pdf"]) == (3, 0)
        assert result["unconverted"] == [
            {"side": "expense", "amount": "900", "currency": "XPF", "count": 1}
        ]
        pdf, _, table, document = [await self.fetched(user, each) for each in result["artifacts"]]
        lines = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))
        assert [line["base_amount"] for line in lines] == ["182.50", "17.50", ""]
        assert json.loads(document)["totals"]["spent"] == "200.00"
        assert pdf.startswith(b"%PDF-")

    async def fetched(self, user: User, file: Json) -> bytes:
        answer = await user.http.get(file["url"])
        assert answer.headers["content-type"] == file["media_type"]
        content: bytes = answer.content
        assert len(content) == file["size_bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        return content

    async def test_is_made_once_while_the_books_stay(
        self, user: User, compute_worker: Child, sign_up: Any
    ) -> None:
        await spend(user, "1")
        first = await reported(user)
        again = await reported(user)
        assert again["result"]["made_by"] == first["id"]
        ids = [each["id"] for each in first["artifacts"]]
        assert [each["id"] for each in again["result"]["artifacts"]] == ids
        assert again["artifacts"] == []
        assert again["result"]["totals"] == first["result"]["totals"]
        for file in again["result"]["artifacts"]:
            assert file["expires_at"] is not None
            await self.fetched(user, file)
        other = await reported(user, locale="de-DE")
        assert other["result"]["made_by"] == other["id"]
        await spend(user, "1", spent_on="2019-01-01")
        changed = await reported(user)
        assert changed["result"]["made_by"] == changed["id"]
        stranger = await reported(await sign_up())
        assert stranger["result"]["made_by"] == stranger["id"]

    async def test_of_a_trip_is_all_of_it(self, user: User, compute_worker: Child) -> None:
        trips = Trips(user)
        trip_id = await trips.make("Gosford", "Taree", start={"name": "S", "lat": -33, "lon": 151})
        await spend(user, "10", trip_id=trip_id, spent_on="2026-03-01", days=4)
        await spend(user, "99")
        job = await reported(user, period=None, trip_id=trip_id, formats=["json"])
        assert job["result"]["period"] == {"from": "2026-03-01", "to": "2026-03-05"}
        assert job["result"]["totals"]["spent"]["amount"] == "10.00"
        assert job["tags"] == [f"trip:{trip_id}"]
        (file,) = job["result"]["artifacts"]
        document = json.loads(await self.fetched(user, file))
        assert document["policy"]["trip"] == "Up the coast"
        assert len(document["route"]["line"]) == 4
        assert file["name"] == "expenses-trip.json"


async def printed(user: User, job: Json) -> str:
    """The text of a report's PDF."""
    (file,) = job["result"]["artifacts"]
    document = pypdfium2.PdfDocument((await user.http.get(file["url"])).content)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


class TestReceipts:
    async def test_are_shown_with_their_expenses(self, user: User, compute_worker: Child) -> None:
        await spend(user, "12.50", vendor="Roadhouse")
        (expense,) = (await user.http.get("/api/v1/expenses")).json()["data"]
        await made(user, name="pump.jpg", expense_id=expense["id"])
        await made(user, pdf(2), name="invoice.pdf", expense_id=expense["id"])
        await made(user, name="loose.jpg")
        asked = {"formats": ["pdf"], "receipts": True}

        shown = await printed(user, await reported(user, **asked))
        # a photograph and two pages
        assert shown.count("Roadhouse") == 1 + 3
        assert ("Receipt 3" in shown, "Receipt 4" in shown) == (True, False)
        assert "Receipt 1" not in await printed(user, await reported(user, formats=["pdf"]))

    async def test_that_change_make_another_report(self, user: User, compute_worker: Child) -> None:
        await spend(user, "12.50")
        (expense,) = (await user.http.get("/api/v1/expenses")).json()["data"]
        receipt = await made(user, name="pump.jpg", expense_id=expense["id"])
        asked = {"formats": ["pdf"], "receipts": True}
        before = await reported(user, **asked)
        assert "Receipt 1" in await printed(user, before)
        assert (await reported(user, **asked))["result"]["made_by"] == before["id"]
        await user.http.delete(f"{RECEIPTS}/{receipt['id']}")
        assert "Receipt 1" not in await printed(user, await reported(user, **asked))

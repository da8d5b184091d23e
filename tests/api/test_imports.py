"""Importing expenses from a file, from the upload to the books: all of it, or none."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.trips import Trips

Json = dict[str, Any]
IMPORTS = "/api/v1/imports"
EXPENSES = "/api/v1/expenses"
HEAD = "Date,Amount,Currency,Category,Payee,Memo\r\n"
FILE = HEAD + (
    "2026-01-14,182.50,AUD,fuel,富士見 servo,Diesel\r\n"
    "2026-01-15,12.00,AUD,groceries,Coles,\r\n"
    "2026-01-15,-3.10,USD,Camping,,refund\r\n"
)
COLUMNS = {
    "spent_on": "Date",
    "amount": "Amount",
    "currency": "Currency",
    "category": "Category",
    "vendor": "Payee",
    "description": "Memo",
}


async def post(
    user: User, content: str | bytes, wait: bool = True, key: str | None = None, **options: Any
) -> httpx2.Response:
    headers = {"Content-Type": "text/csv"} | ({"Prefer": "wait=20"} if wait else {})
    if key is not None:
        headers["Idempotency-Key"] = key
    return await user.http.post(
        IMPORTS,
        content=content.encode() if isinstance(content, str) else content,
        params={"options": json.dumps(options)},
        headers=headers,
    )


async def job(user: User, content: str | bytes, **options: Any) -> Json:
    """The ended job of an import."""
    answer = await post(user, content, **options)
    assert answer.status_code == 202, answer.text
    found: Json = answer.json()["data"]
    assert found["finished_at"] is not None, found
    return found


async def result(user: User, content: str | bytes, **options: Any) -> Json:
    found = await job(user, content, **options)
    assert found["status"] == "succeeded", found["error"]
    made: Json = found["result"]
    return made


async def expenses(user: User) -> list[Json]:
    answer = await user.http.get(EXPENSES, params={"sort": "spent_on", "page_size": 200})
    found: list[Json] = answer.json()["data"]
    return found


pytestmark = pytest.mark.usefixtures("compute_worker")


class TestADryRun:
    async def test_shows_what_is_in_a_file_and_writes_nothing(self, user: User) -> None:
        found = await result(user, FILE, dry_run=True)
        assert found["guessed"] is True
        assert {k: v for k, v in found["columns"].items() if v} == COLUMNS
        assert found["file"]["header"] == HEAD.strip().split(",")
        assert found["file"]["sample"][0][3] == "fuel"
        written = ("encoding", "bom", "delimiter", "decimal", "dates")
        assert [found["file"][name] for name in written] == ["utf-8", False, ",", ".", "ymd"]
        assert (found["undecided"], found["errors"], found["wrong"]) == ([], [], 0)
        assert (found["rows"], found["imported"]) == (3, 0)
        assert found["totals"] == [
            {"currency": "AUD", "amount": "194.50", "count": 2},
            {"currency": "USD", "amount": "-3.10", "count": 1},
        ]
        assert found["preview"][2] == {
            "line": 4,
            "expense": {
                "currency": "USD",
                "amount": "-3.10",
                "category": "camping",
                "spent_on": "2026-01-15",
                "description": "refund",
            },
        }
        assert await expenses(user) == []

    async def test_names_every_wrong_line_with_its_field_and_column(self, user: User) -> None:
        file = HEAD + (
            "2026-01-14,182.505,AUD,fuel,x,\r\n"
            '2026-02-30,1.00,AUD,fuel,"two\nlines",\r\n'
            "2026-01-14,1.00,XXX,yachts,,\r\n"
            "2026-01-14,1.00,AUD,fuel\r\n"
            "\r\n"
            "2026-01-14,,AUD,fuel,,\r\n"
            "2026-01-14,1.00,AUD,fuel,good,\r\n"
        )
        found = await result(user, file, dry_run=True, columns=COLUMNS)
        named = [(e["line"], e["field"], e["column"], e["value"]) for e in found["errors"]]
        assert named == [
            (2, "amount", "Amount", "182.505"),
            (3, "spent_on", "Date", "2026-02-30"),
            (5, "category", "Category", "yachts"),
            (5, "currency", "Currency", "XXX"),
            (6, None, None, None),
            (8, "amount", "Amount", ""),
        ]
        assert (found["rows"], found["wrong"], found["more_errors"]) == (6, 5, 0)
        assert [each["expense"]["vendor"] for each in found["preview"]] == ["good"]

    async def test_asks_for_what_a_file_leaves_open(self, user: User) -> None:
        file = "when;Betrag;Buchungstag\r\nx;1.234;03/04/2026\r\n"
        found = await result(user, file, dry_run=True)
        assert found["undecided"] == ["currency", "category", "dates", "decimal"]
        assert (found["wrong"], found["preview"], found["file"]["dates"]) == (0, [], None)
        fixed = {"currency": "EUR", "category": "other"}
        told = {"dates": "dmy", "decimal": ",", "fixed": fixed}
        found = await result(user, file, dry_run=True, **told)
        assert found["undecided"] == []
        assert found["preview"][0]["expense"]["amount"] == "1234.00"
        assert found["preview"][0]["expense"]["spent_on"] == "2026-04-03"


class TestAnImport:
    async def test_writes_all_lines_as_posts_would(self, user: User) -> None:
        await user.http.put("/api/v1/finance/settings", json={"currency": "AUD"})
        trip_id = await Trips(user).make()
        fixed = {"payment_method": "card", "tags": ["bank"], "trip": trip_id}
        found = await result(user, FILE, columns=COLUMNS, fixed=fixed)
        assert (found["imported"], found["unconverted"]) == (3, 1)
        first, *_ = made = await expenses(user)
        assert len(made) == 3
        posted = await user.http.post(
            EXPENSES,
            json={
                "amount": "182.5",
                "currency": "AUD",
                "category": "fuel",
                "spent_on": "2026-01-14",
                "vendor": "富士見 servo",
                "description": "Diesel",
                "payment_method": "card",
                "tags": ["bank"],
                "trip_id": trip_id,
            },
        )
        differ = ("id", "created_at", "updated_at")
        alike = posted.json()["data"]
        assert {k: v for k, v in first.items() if k not in differ} == {
            k: v for k, v in alike.items() if k not in differ
        }

    async def test_writes_nothing_where_one_line_is_wrong(self, user: User) -> None:
        ended = await job(user, FILE + "2026-01-16,1.00,AUD,yachts,,\r\n", columns=COLUMNS)
        assert ended["status"] == "failed"
        error = ended["error"]
        assert (error["error_code"], error["retryable"]) == ("LINES_WRONG", False)
        assert [(e["line"], e["field"]) for e in error["errors"]] == [(5, "category")]
        assert await expenses(user) == []

    async def test_makes_categories_only_when_asked(self, user: User) -> None:
        file = HEAD + "2026-01-16,1.00,AUD,Wine & cheese,,\r\n" * 2
        assert (await job(user, file, columns=COLUMNS))["status"] == "failed"
        found = await result(user, file, columns=COLUMNS, create_categories=True)
        assert found["new_categories"] == ["wine_cheese"]
        assert [each["category"] for each in await expenses(user)] == ["wine_cheese"] * 2
        listed = (await user.http.get("/api/v1/categories")).json()["data"]
        assert "Wine & cheese" in [each["name"] for each in listed]
        # by its name, from now on
        found = await result(user, file, columns=COLUMNS)
        assert found["new_categories"] == []

    async def test_refuses_to_guess(self, user: User) -> None:
        ended = await job(user, FILE)
        assert ended["error"]["error_code"] == "COLUMNS_NEEDED"
        assert ended["error"]["guess"]["vendor"] == "Payee"
        missing = {**COLUMNS, "note": "Remarks"}
        ended = await job(user, FILE, columns=missing)
        assert ended["error"]["error_code"] == "COLUMN_NOT_FOUND"
        assert list(ended["error"]["field_errors"]) == ["columns.note"]

    async def test_takes_a_file_that_was_looked_at_before(self, user: User) -> None:
        looked = await job(user, FILE, dry_run=True)
        (file,) = looked["artifacts"]
        assert looked["input"]["file_id"] == file["id"]
        assert (await user.http.get(file["url"])).text == FILE
        body = {"file_id": file["id"], "columns": COLUMNS, "tags": ["bank"]}
        answer = await user.http.post(IMPORTS, json=body, headers={"Prefer": "wait=20"})
        ended = answer.json()["data"]
        assert (ended["status"], ended["tags"]) == ("succeeded", ["bank"])
        assert len(await expenses(user)) == 3

    async def test_is_told_of_its_file_by_the_log(self, user: User) -> None:
        ended = await job(user, FILE, dry_run=True)
        events = (await user.http.get(f"{ended['links']['events']}?starting_after=0")).text
        names = [line[7:] for line in events.splitlines() if line.startswith("event: ")]
        assert names[:3] == ["job.snapshot", "job.queued", "job.artifact"]


class TestDuplicates:
    async def test_are_named_and_kept_or_skipped_as_asked(self, user: User) -> None:
        await result(user, FILE, columns=COLUMNS)
        known = await expenses(user)
        # one more of a kind that is there once, in other letters
        file = FILE + "2026-01-14,182.50,AUD,fuel,富士見 SERVO,again\r\n"
        found = await result(user, file, dry_run=True, columns=COLUMNS)
        assert (found["duplicates"], found["skipped"]) == (3, 0)
        assert [each["line"] for each in found["suspects"]] == [2, 3, 4]
        assert found["suspects"][0]["expense_id"] == known[0]["id"]
        found = await result(user, file, columns=COLUMNS, duplicates="skip")
        assert (found["skipped"], found["imported"]) == (3, 1)
        assert len(await expenses(user)) == 4
        found = await result(user, FILE, columns=COLUMNS)
        assert (found["duplicates"], found["imported"]) == (3, 3)
        assert len(await expenses(user)) == 7


class TestBanks:
    async def test_write_in_their_own_ways(self, user: User) -> None:
        """Latin letters of Windows, semicolons, decimal commas, debit and credit apart."""
        file = (
            "Umsätze;;;\r\n"
            "Buchungstag;Empfänger;Soll;Haben\r\n"
            "03.04.26;Bäckerei;1.234,50;\r\n"
            "13.04.26;Café;;12,00-\r\n"
            "14.04.26;Zoo;-5,--;\r\n".replace("-5,--", "-5")
        ).encode("cp1252")
        fixed = {"currency": "EUR", "category": "food"}
        found = await result(user, file, dry_run=True, skip_lines=1, fixed=fixed)
        assert found["undecided"] == []
        kept = ("encoding", "delimiter", "decimal", "dates")
        assert [found["file"][name] for name in kept] == ["cp1252", ";", ",", "dmy"]
        shown = [each["expense"] for each in found["preview"]]
        assert [each["amount"] for each in shown] == ["1234.50", "-12.00", "5.00"]
        assert [each["spent_on"] for each in shown] == ["2026-04-03", "2026-04-13", "2026-04-14"]
        assert found["preview"][0]["line"] == 3

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
    async def test_write_unicode_with_and_without_a_mark(self, encoding: str, user: User) -> None:
        found = await result(user, FILE.encode(encoding), dry_run=True)
        assert found["file"]["encoding"] == ("utf-16" if "16" in encoding else "utf-8")
        assert found["preview"][0]["expense"]["vendor"] == "富士見 servo"

    async def test_write_what_was_spent_as_negative(self, user: User) -> None:
        file = "2026-01-14\t-1'182.50\r\n2026-01-14\t(3)\r\n"
        options = {
            "header": False,
            "spending": "negative",
            "columns": {"spent_on": 1, "amount": 2},
            "fixed": {"currency": "CHF", "category": "Eating out"},
        }
        found = await result(user, file, dry_run=True, **options)
        shown = [each["expense"] for each in found["preview"]]
        assert [each["amount"] for each in shown] == ["1182.50", "3.00"]
        assert shown[0]["category"] == "dining"


class TestTheUpload:
    async def test_may_be_a_form(self, user: User) -> None:
        answer = await user.http.post(
            IMPORTS,
            files={"file": ("bank.csv", FILE.encode(), "text/csv")},
            data={"options": json.dumps({"dry_run": True})},
            headers={"Prefer": "wait=20"},
        )
        ended = answer.json()["data"]
        assert (ended["result"]["rows"], ended["artifacts"][0]["name"]) == (3, "bank.csv")

    async def test_acts_once_for_one_key(self, user: User) -> None:
        first, again = [await post(user, FILE, columns=COLUMNS, key="k") for _ in range(2)]
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["data"]["id"] == first.json()["data"]["id"]
        assert len(again.json()["data"]["artifacts"]) == 1
        assert len(await expenses(user)) == 3
        other = await post(user, FILE + "x", columns=COLUMNS, key="k")
        assert other.json()["error_code"] == "IDEMPOTENCY_KEY_REUSED"

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "FILE_NOT_READABLE"),
            (HEAD.encode(), "FILE_WITHOUT_LINES"),
            (b"\x81\x8d,\xff", "FILE_NOT_READABLE"),
        ],
    )
    async def test_fails_clearly_where_it_is_no_file_of_expenses(
        self, content: bytes, code: str, user: User
    ) -> None:
        assert (await job(user, content))["error"]["error_code"] == code

    async def test_says_which_option_is_wrong(self, user: User) -> None:
        answer = await post(user, FILE, dates="yyyy", colums={})
        assert answer.status_code == 422
        assert set(answer.json()["field_errors"]) == {"options.dates", "options.colums"}
        answer = await post(user, FILE, fixed={"note": "\0", "vendor": "\ud800"})
        assert set(answer.json()["field_errors"]) == {"options.fixed.note", "options.fixed.vendor"}
        answer = await user.http.post(IMPORTS, json={"columns": {"amount": 0}})
        assert answer.status_code == 422
        assert "file_id" in answer.json()["field_errors"]

    async def test_refuses_other_files_and_other_peoples(self, user: User, sign_up: Any) -> None:
        answer = await user.http.post(
            IMPORTS, content=b"x", headers={"Content-Type": "application/pdf"}
        )
        assert answer.status_code == 415
        stranger = await sign_up()
        looked = await job(stranger, FILE, dry_run=True)
        for file_id in (looked["artifacts"][0]["id"], str(UUID(int=7))):
            answer = await user.http.post(IMPORTS, json={"file_id": file_id})
            assert answer.status_code == 404
        form = await user.http.post(IMPORTS, files={"data": ("x.csv", b"x", "text/csv")})
        assert form.json()["field_errors"] == {"file": ["Send the file as the part `file`"]}

    async def test_has_a_limit_of_its_own(
        self, make_app: MakeApp, running: Running, user: User
    ) -> None:
        app = make_app(import_max_bytes=2_000_000)
        headers = {"Authorization": f"Bearer {user.tokens['access_token']}"}
        async with running(app) as client:
            for size, status in ((1_999_000, 202), (2_000_001, 413), (2_200_000, 413)):
                answer = await client.post(
                    IMPORTS, content=b"x" * size, headers={**headers, "Content-Type": "text/csv"}
                )
                assert answer.status_code == status, answer.text
            large = {"file_id": "x" * 1_000_001}
            answer = await client.post(IMPORTS, json=large, headers=headers)
            assert answer.status_code == 413
